// Signal masks and waits by bare system calls: libc's leave out the two signals that it keeps for
// itself (32 and 33), and these can be sent and must be passed on like others.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <ctime>
#include <optional>

namespace cowscope {

// Bit n - 1 is signal n, as the kernel has it.
using SignalMask = uint64_t;
inline constexpr SignalMask kAllSignals = ~SignalMask{0};
inline constexpr int kHighestSignal = 64;

constexpr SignalMask mask_of(int signal) {
    return SignalMask{1} << (signal - 1);
}

// Returns the mask before. `how` as for sigprocmask(2).
inline SignalMask change_mask(int how, SignalMask mask) {
    SignalMask before = 0;
    syscall(SYS_rt_sigprocmask, how, &mask, &before, sizeof(mask));
    return before;
}

// A blocked signal of `mask`, or 0 behind `most_ns`, or where a handler has run.
inline int wait_for_signal(SignalMask mask, siginfo_t* info, std::optional<uint64_t> most_ns) {
    constexpr uint64_t kSecondNs = 1'000'000'000;
    timespec timeout{};
    if (most_ns) {
        timeout.tv_sec = static_cast<time_t>(*most_ns / kSecondNs);
        timeout.tv_nsec = static_cast<long>(*most_ns % kSecondNs);
    }
    const long signal =
        syscall(SYS_rt_sigtimedwait, &mask, info, most_ns ? &timeout : nullptr, sizeof(mask));
    return signal > 0 ? static_cast<int>(signal) : 0;
}

// Pending for this thread or the process.
inline SignalMask pending_signals() {
    SignalMask pending = 0;
    syscall(SYS_rt_sigpending, &pending, sizeof(pending));
    return pending;
}

}  // namespace cowscope
