// A lock for the shim's own state.
//
// Locking contract: the holder has all signals blocked (the fault handler by its sa_mask, everybody
// else by process::Locked), so no handler can find the lock held by the thread it interrupted.
// Never held while the host's code runs, nor across a fork: glibc takes malloc's locks in there,
// and a thread that holds one may be in the fault handler. A forked child, in which the holder does
// not exist, makes it free.
#pragma once

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
    }
    void free_in_child() { unlock(); }
    void unlock() { taken_.store(false, std::memory_order_release); }

  private:
    // A spin takes some 10 ns, a yield 1 us; an event takes the lock for 3 to 10 us.
    static constexpr unsigned kSpins = 128;
    static constexpr unsigned kYields = 32;
    static constexpr long kSleepNs = 20'000;

    std::atomic<bool> taken_{false};
};

}  // namespace cowscope
