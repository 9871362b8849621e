// A lock for the shim's own state.
//
// Locking contract: the holder has all signals blocked (the fault handler by its sa_mask, everybody
// else by process::Locked), so no handler waits for the thread that it interrupted. Only where the
// holder itself runs into memory that is not there may the witness's handler be called all the same
// (witness/handler.cpp), and asks is_held_here().
// Never held while the host's code runs, nor across a fork: glibc takes malloc's locks in there,
// and a thread that holds one may be in the fault handler. A forked child, in which the holder does
// not exist, makes it free.
#pragma once

#include <pthread.h>

#include <atomic>

#include "support/syscall.h"

namespace cowscope {

class SpinLock {
  public:
    void lock() {
        unsigned tries = 0;
        while (taken_.exchange(true, std::memory_order_acquire)) {
            // The holder may be preempted: give it the core after a short spin, and sleep where
            // that does not help, because this thread goes before the holder (SCHED_FIFO).
            if (++tries % kSpins != 0) {
                sys::pause_cpu();
            } else if (tries < kSpins * kYields) {
                sys::sched_yield();
            } else {
                sys::sleep_ns(kSleepNs);
            }
        }
        holder_.store(pthread_self(), std::memory_order_relaxed);
    }
    void free_in_child() { unlock(); }
    void unlock() {
        holder_.store(0, std::memory_order_relaxed);
        taken_.store(false, std::memory_order_release);
    }
    // By this thread, or by one that shares its thread-local variables (clone(2) without
    // CLONE_SETTLS).
    bool is_held_here() const { return holder_.load(std::memory_order_relaxed) == pthread_self(); }

  private:
    // A spin takes some 10 ns, a yield 1 us; an event takes the lock for 3 to 10 us.
    static constexpr unsigned kSpins = 128;
    static constexpr unsigned kYields = 32;
    static constexpr long kSleepNs = 20'000;

    std::atomic<bool> taken_{false};
    std::atomic<pthread_t> holder_{0};
};

}  // namespace cowscope
