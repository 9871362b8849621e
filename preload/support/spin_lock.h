// A lock for the shim's own state.
//
// Locking contract: the holder has all signals blocked (the fault handler by its sa_mask, everybody
// else by process::Locked), so no handler can find the lock held by the thread it interrupted. It
// is held across fork by the forking thread and made free in the child. Never held while the host's
// code runs.
#pragma once

#include <atomic>

#include "support/syscall.h"

namespace cowscope {

class SpinLock {
  public:
    void lock() {
        unsigned tries = 0;
        while (taken_.exchange(true, std::memory_order_acquire)) {
            // The holder may be preempted: give it the core after a short spin.
            if (++tries % 128 == 0) {
                sys::sched_yield();
            } else {
                sys::pause_cpu();
            }
        }
    }
    void unlock() { taken_.store(false, std::memory_order_release); }

  private:
    std::atomic<bool> taken_{false};
};

}  // namespace cowscope
