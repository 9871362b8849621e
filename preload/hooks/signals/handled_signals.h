// Signals that the shim handles in the host, behind the host's back: SIGTRAP (the witness) and the
// signals whose default action would end the process before its last census.
//
// The host sees its own dispositions: every function that sets or reads one is interposed
// (actions_and_masks.cpp, raw/syscall_function.cpp), a signal that the shim handles reads as the
// disposition the host gave it, and one that the host handles is the host's alone. What the kernel
// has decides who handles a signal: a child that shares the memory (vfork) has dispositions of its
// own.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <time.h>

#include <cstdint>

namespace cowscope::hooks {

// Takes over the signals that still have their default action. The lock is held. Async-signal-safe.
void handle_default_ends();

// Whether the shim may handle this signal.
bool may_be_handled(int signal);
// sigaction(2) as the host sees it. The lock is not held.
int change_action(int signal, const struct sigaction* action, struct sigaction* old);
// siginterrupt(3) for a signal that the shim may handle. `flags` has SA_RESTART or not.
void note_restart_flag(int signal, int flags);

// The host is about to execute another program, in this process or in one that shares its memory:
// what the host ignores must be ignored there, but a handler becomes the default (execve(2)). As
// long as one of these lives the kernel has SIG_IGN for SIGTRAP where the host has it. The lock is
// not held.
class IgnoredTrapIsKept {
  public:
    IgnoredTrapIsKept();
    ~IgnoredTrapIsKept();
    IgnoredTrapIsKept(const IgnoredTrapIsKept&) = delete;
    IgnoredTrapIsKept& operator=(const IgnoredTrapIsKept&) = delete;

  private:
    bool is_kept_ = false;
};

// What is pending and blocked stays so in the next program (execve(2)), and one of the witness's
// signals would end that. As long as one of these lives a thread that blocks SIGTRAP has none, and
// nobody is witnessed. The lock is not held.
class NoTrapIsPending {
  public:
    NoTrapIsPending();
    ~NoTrapIsPending();
    NoTrapIsPending(const NoTrapIsPending&) = delete;
    NoTrapIsPending& operator=(const NoTrapIsPending&) = delete;

  private:
    uint32_t mean_ = 0;  // of the witness that was closed
};

// Takes the witness's own out of the signals that are pending for this thread. Whether one of the
// host's is left. The lock is not held.
bool has_own_trap_pending();

// Takes the witness's own out of what is pending for this thread, if nothing else is.
void make_room_for_trap();

// Sends this thread a SIGTRAP by `send(signal)`, one system call that does nothing for signal 0.
// One of the witness's that is pending would swallow it, because a signal is pending once; and a
// first look at the code on the way would leave one, so all of it is done twice.
template <typename Send>
long send_to_self(int signal, const Send& send) {
    long result = 0;
    const int each[] = {0, signal};
    for (const volatile int& one : each) {
        make_room_for_trap();
        result = send(one);
    }
    return result;
}

// sigtimedwait(2) and sigpending(2) as the host sees them, by system calls alone: -errno on
// failure.
long wait_for_signal(const void* set, siginfo_t* info, const struct timespec* timeout,
                     size_t bytes);
long pending_signals(void* set, size_t bytes);
// The host has got a signalfd for `mask`: it is to bring no SIGTRAP.
void leave_trap_out(int fd, const void* mask, int flags);

// Sends the calling thread, or its process where that is whom it was sent to, a signal that was
// taken out of what is pending, as it was.
void send_again(const siginfo_t& info);

}  // namespace cowscope::hooks
