// System calls about signals that a program makes by libc's syscall(): they mean the same as the
// functions of libc that are interposed (signals/actions_and_masks.cpp,
// signals/sigwait_and_raise.cpp, signals/masked_waits.cpp, process/exec.cpp).
#pragma once

#include <sys/syscall.h>

namespace cowscope::hooks {

struct RawCall {
    long number;
    long arguments[6];
};

inline constexpr unsigned long kEpollPwait2 = 441;  // Linux 5.11

inline constexpr unsigned long kSignalCalls[] = {
    SYS_rt_sigaction,    SYS_rt_sigprocmask, SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait, SYS_rt_sigpending,  SYS_rt_tgsigqueueinfo,
    SYS_signalfd,        SYS_signalfd4,      SYS_ppoll,
    SYS_pselect6,        SYS_epoll_pwait,    kEpollPwait2,
    SYS_io_pgetevents,   SYS_tkill,          SYS_tgkill,
    SYS_execve,          SYS_execveat,
};

inline bool is_signal_call(long number) {
    for (const unsigned long each : kSignalCalls) {
        if (each == static_cast<unsigned long>(number)) return true;
    }
    return false;
}

// Whether the call was made here; `result` is the kernel's, -errno on failure. The lock is not
// held.
bool answer_signal_call(const RawCall& call, long* result);

}  // namespace cowscope::hooks
