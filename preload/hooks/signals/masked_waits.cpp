// Calls that wait with a signal mask of their own: waiting_threads.h.
#include "hooks/signals/masked_waits.h"

#include <errno.h>

#include <cstring>

#include "arch/cpu.h"
#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "hooks/descriptors/poll_and_select.h"
#include "hooks/signals/waiting_threads.h"
#include "session/session.h"
#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::hooks {

constinit WaitingThreads waiting_threads;

WaitingThreads::Entry* WaitingThreads::add(pid_t tid, uint64_t sp) {
    for (Entry& entry : entries_) {
        // One of this thread's that is left was abandoned by longjmp().
        pid_t expected = entry.tid.load(std::memory_order_relaxed);
        if (expected != 0 && expected != tid) continue;
        entry.sp.store(sp, std::memory_order_relaxed);
        if (entry.tid.compare_exchange_strong(expected, tid, std::memory_order_acq_rel)) {
            return &entry;
        }
    }
    return nullptr;
}

WaitingThreads::Entry* WaitingThreads::find(pid_t tid, const ucontext_t& interrupted) {
    const auto sp = cpu::registers_of(interrupted).sp;
    for (Entry& entry : entries_) {
        if (entry.tid.load(std::memory_order_acquire) != tid) continue;
        if (sp <= entry.sp.load(std::memory_order_relaxed)) return &entry;
        // The thread has left the call by longjmp().
        remove(&entry);
        break;
    }
    return nullptr;
}

namespace {

// A call that a signal ends has its result when the signal strikes.
bool has_ended_call(const ucontext_t& interrupted) {
    uint8_t code[sizeof(cpu::kSystemCallCode)] = {};
    const uint64_t ip = cpu::registers_of(interrupted).ip;
    return cpu::call_result_of(interrupted) == -EINTR &&
           guarded_read(reinterpret_cast<const void*>(ip - sizeof(code)), code, sizeof(code)) &&
           std::memcmp(code, cpu::kSystemCallCode, sizeof(code)) == 0;
}

}  // namespace

bool WaitingThreads::put_off(pid_t tid, ucontext_t* interrupted) {
    if (find(tid, *interrupted) == nullptr || has_ended_call(*interrupted)) return false;
    put_off_.store(1, std::memory_order_relaxed);
    sigaddset(&interrupted->uc_sigmask, SIGTRAP);
    return true;
}

void WaitingThreads::find_and_let_in(ucontext_t* interrupted) {
    if (find(sys::gettid(), *interrupted) == nullptr || !has_ended_call(*interrupted)) return;
    sigdelset(&interrupted->uc_sigmask, SIGTRAP);
}

MaskedWait::MaskedWait(const void* mask) {
    if (mask == nullptr || !session::is_current() || !epoch::sharing.trap.is_open()) return;
    sys::SignalMask now = 0;
    sys::syscall4(SYS_rt_sigprocmask, 0, 0, sys::word(&now), sizeof(now));
    if ((now & session::kTrapOnly) == 0) return;
    sys::SignalMask meanwhile = 0;
    // The kernel says what is wrong with it.
    if (!read_argument(mask, &meanwhile, sizeof(meanwhile)) ||
        (meanwhile & session::kTrapOnly) != 0)
        return;
    // This lies in the frame of the function that makes the call.
    entry_ = waiting_threads.add(sys::gettid(), reinterpret_cast<uint64_t>(this));
    if (entry_ == nullptr) return;
    sys::syscall4(SYS_rt_sigprocmask, 1 /* SIG_UNBLOCK */, sys::word(&session::kTrapOnly), 0,
                  sizeof(session::kTrapOnly));
}

MaskedWait::~MaskedWait() {
    if (entry_ == nullptr) return;
    sys::syscall4(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, sys::word(&session::kTrapOnly), 0,
                  sizeof(session::kTrapOnly));
    WaitingThreads::remove(static_cast<WaitingThreads::Entry*>(entry_));
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_MASKED_WAIT_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED int sigsuspend(const sigset_t* mask) {
    const MaskedWait wait(mask);
    return real::sigsuspend(mask);
}
// The header gives the one name or the other to sigpause(), and calls both deprecated. By a mask of
// the first 32 signals:
COWSCOPE_INTERPOSED int pause_by_mask(int mask) __asm__("sigpause");
COWSCOPE_INTERPOSED int pause_by_mask(int mask) {
    const uint64_t meanwhile = static_cast<unsigned>(mask);
    const MaskedWait wait(&meanwhile);
    return real::sigpause(mask);
}
// By the one signal that is opened:
COWSCOPE_INTERPOSED int pause_by_number(int signal) __asm__("__xpg_sigpause");
COWSCOPE_INTERPOSED int pause_by_number(int signal) {
    const uint64_t meanwhile = signal == SIGTRAP ? 0 : ~uint64_t{0};
    const MaskedWait wait(&meanwhile);
    return real::__xpg_sigpause(signal);
}
COWSCOPE_INTERPOSED int __sigpause(int signal_or_mask, int is_signal) {
    return is_signal != 0 ? pause_by_number(signal_or_mask) : pause_by_mask(signal_or_mask);
}
COWSCOPE_INTERPOSED int ppoll(struct pollfd* files, nfds_t count, const struct timespec* timeout,
                              const sigset_t* mask) {
    const MaskedWait wait(mask);
    return poll_without_own(files, count, [&] { return real::ppoll(files, count, timeout, mask); });
}
COWSCOPE_INTERPOSED int __ppoll_chk(struct pollfd* files, nfds_t count,
                                    const struct timespec* timeout, const sigset_t* mask,
                                    size_t bytes) {
    const MaskedWait wait(mask);
    return poll_without_own(files, bytes / sizeof(*files) < count ? 0 : count,
                            [&] { return real::__ppoll_chk(files, count, timeout, mask, bytes); });
}
COWSCOPE_INTERPOSED int pselect(int count, fd_set* read, fd_set* write, fd_set* except,
                                const struct timespec* timeout, const sigset_t* mask) {
    if (has_own_in(count, read, write, except)) {
        errno = EBADF;
        return -1;
    }
    const MaskedWait wait(mask);
    return real::pselect(count, read, write, except, timeout, mask);
}
COWSCOPE_INTERPOSED int epoll_pwait(int epoll, struct epoll_event* events, int most, int timeout_ms,
                                    const sigset_t* mask) {
    const MaskedWait wait(mask);
    return real::epoll_pwait(visible(epoll), events, most, timeout_ms, mask);
}
COWSCOPE_INTERPOSED int epoll_pwait2(int epoll, struct epoll_event* events, int most,
                                     const struct timespec* timeout, const sigset_t* mask) {
    const MaskedWait wait(mask);
    return real::epoll_pwait2(visible(epoll), events, most, timeout, mask);
}
