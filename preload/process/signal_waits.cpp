// A host that takes signals without a handler: sigwait() and its kin, signalfd(), sigpending(). The
// witness's signals that came while the host had SIGTRAP blocked are pending like its own, and it
// must not be given them.
#include <errno.h>
#include <sys/signalfd.h>

#include "process/interpose.h"
#include "process/process.h"
#include "process/real.h"
#include "witness/handler.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

bool may_get_ours(const sigset_t* set) {
    return set != nullptr && sigismember(set, SIGTRAP) == 1 && is_current() &&
           process.trap.is_open();
}

// Whether the signal was one of ours; then it has been counted.
bool take_ours(int signal, const siginfo_t& info) {
    const auto& trap = reinterpret_cast<const witness::TrapInfo&>(info);
    if (signal != SIGTRAP || !witness::is_ours(trap)) return false;
    const Locked locked;
    witness::count_late(trap);
    return true;
}

constexpr int64_t kSecondNs = 1'000'000'000;

int wait_for_host(const sigset_t* set, siginfo_t* info, const struct timespec* timeout) {
    if (!may_get_ours(set)) return real().sigtimedwait(set, info, timeout);
    struct timespec left = {};
    uint64_t end_ns = 0;
    if (timeout != nullptr) {
        left = *timeout;
        end_ns =
            sys::monotonic_ns() + static_cast<uint64_t>(left.tv_sec * kSecondNs + left.tv_nsec);
    }
    for (;;) {
        siginfo_t found;
        const int signal = real().sigtimedwait(set, &found, timeout == nullptr ? nullptr : &left);
        if (!take_ours(signal, found)) {
            if (signal > 0 && info != nullptr) *info = found;
            return signal;
        }
        if (timeout == nullptr) continue;
        const uint64_t now_ns = sys::monotonic_ns();
        const uint64_t left_ns = end_ns > now_ns ? end_ns - now_ns : 0;
        left = {static_cast<time_t>(left_ns / kSecondNs), static_cast<long>(left_ns % kSecondNs)};
    }
}

// Takes ours from what is pending, and leaves the host's own.
bool has_own_trap_pending() {
    const struct timespec at_once = {0, 0};
    for (;;) {
        siginfo_t info;
        const long signal = sys::syscall4(SYS_rt_sigtimedwait, sys::word(&kTrapOnly),
                                          sys::word(&info), sys::word(&at_once), sizeof(kTrapOnly));
        if (signal != SIGTRAP) return false;
        if (take_ours(SIGTRAP, info)) continue;
        sys::syscall4(SYS_rt_tgsigqueueinfo, sys::getpid(), sys::gettid(), SIGTRAP,
                      sys::word(&info));
        return true;
    }
}

}  // namespace
}  // namespace cowscope::process

COWSCOPE_INTERPOSED int sigtimedwait(const sigset_t* set, siginfo_t* info,
                                     const struct timespec* timeout) {
    return cowscope::process::wait_for_host(set, info, timeout);
}

COWSCOPE_INTERPOSED int sigwaitinfo(const sigset_t* set, siginfo_t* info) {
    return cowscope::process::wait_for_host(set, info, nullptr);
}

// Never ends with EINTR (sigwait(3)), and has its own way to say what went wrong.
COWSCOPE_INTERPOSED int sigwait(const sigset_t* set, int* signal) {
    const int errno_before = errno;
    int got = 0;
    do {
        got = cowscope::process::wait_for_host(set, nullptr, nullptr);
    } while (got < 0 && errno == EINTR);
    const int error = got < 0 ? errno : 0;
    errno = errno_before;
    if (error == 0) *signal = got;
    return error;
}

// What is read from it cannot be told apart on the way, so it brings no SIGTRAP at all: a program
// that sends itself SIGTRAP to read it there waits in vain.
COWSCOPE_INTERPOSED int signalfd(int fd, const sigset_t* mask, int flags) noexcept {
    using namespace cowscope::process;
    if (!is_current() || process.options.witness == WitnessChoice::off) {
        return real().signalfd(fd, mask, flags);
    }
    sigset_t without = *mask;
    sigdelset(&without, SIGTRAP);
    return real().signalfd(fd, &without, flags);
}

// One of ours that is pending would swallow it: a signal is pending once.
COWSCOPE_INTERPOSED int raise(int signal) noexcept {
    using namespace cowscope::process;
    if (signal != SIGTRAP || !is_current() || !process.trap.is_open()) return real().raise(signal);
    has_own_trap_pending();
    // At once: a first look at the code of libc's would be a fault, and one of ours again.
    cowscope::sys::tgkill(cowscope::sys::getpid(), cowscope::sys::gettid(), signal);
    return 0;
}

COWSCOPE_INTERPOSED int sigpending(sigset_t* set) noexcept {
    using namespace cowscope::process;
    const int result = real().sigpending(set);
    if (result == 0 && may_get_ours(set) && !has_own_trap_pending()) sigdelset(set, SIGTRAP);
    return result;
}
