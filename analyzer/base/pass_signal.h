// Signals that are sent on to another process.
#pragma once

#include <sys/types.h>

#include <csignal>

namespace cowscope {

// Whether a process has sent it, and not the kernel (sigaction(2), si_code).
inline bool is_sent_by_process(const siginfo_t& info) {
    return info.si_code <= 0;
}

// As it came: sent by kill, tgkill or sigqueue with its value. Async-signal-safe.
void pass_signal(pid_t program, const siginfo_t& info);

}  // namespace cowscope
