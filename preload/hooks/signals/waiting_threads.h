// Threads in a call that waits with a signal mask of its own (sigsuspend, ppoll and their kin)
// which opens SIGTRAP, while the thread has it blocked. A signal of the witness's that is pending
// would end such a call at once. So the shim opens SIGTRAP for the thread a little earlier and
// closes it a little later: what is pending strikes before the call, and what faults on the way is
// told then. A SIGTRAP of the host's that comes in that time is put off: is_too_early().
//
// Async-signal-safe, for several threads at once.
#pragma once

#include <sys/types.h>
#include <ucontext.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cowscope::hooks {

class WaitingThreads {
  public:
    struct Entry {
        std::atomic<pid_t> tid;  // 0: free
        std::atomic<uint64_t> sp;
    };

    // nullptr: too many wait already.
    Entry* add(pid_t tid, uint64_t sp);
    static void remove(Entry* entry) { entry->tid.store(0, std::memory_order_release); }

    // A SIGTRAP of the host's has come. Whether the thread is in such a call, and the call itself
    // does not wait yet, or not any more: then the host has it blocked. It is made so, and the
    // caller sends the signal again.
    bool put_off(pid_t tid, ucontext_t* interrupted);
    // One of the witness's has come. Where it was pending beside one that was put off it has ended
    // the call, and as the kernel has it the other would stay blocked behind it.
    void let_in(ucontext_t* interrupted) {
        if (put_off_.load(std::memory_order_relaxed) != 0) find_and_let_in(interrupted);
    }

  private:
    static constexpr size_t kMost = 256;

    Entry* find(pid_t tid, const ucontext_t& interrupted);
    void find_and_let_in(ucontext_t* interrupted);

    Entry entries_[kMost] = {};
    std::atomic<uint32_t> put_off_{0};  // ever, in this process or one that it was forked from
};

extern constinit WaitingThreads waiting_threads;

}  // namespace cowscope::hooks
