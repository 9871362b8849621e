// A host that takes signals without a handler: sigwait() and its kin, signalfd(), sigpending(). The
// witness's signals that came while the host had SIGTRAP blocked are pending like its own, and it
// must not be given them.
#include <errno.h>
#include <pthread.h>
#include <sys/signalfd.h>

#include <cstring>

#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "hooks/descriptors/own_descriptors.h"
#include "hooks/signals/handled_signals.h"
#include "session/session.h"
#include "support/guarded_read.h"
#include "support/kept_errno.h"
#include "witness/sink.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

// `set`: as the host gave it, which may be no memory at all; the kernel says so.
bool may_get_ours(const void* set) {
    sys::SignalMask mask = 0;
    return set != nullptr && session::is_current() && epoch::sharing.trap.is_open() &&
           read_argument(set, &mask, sizeof(mask)) && (mask & session::kTrapOnly) != 0;
}

// Whether the signal was one of ours; then it has been counted.
bool take_ours(int signal, const siginfo_t& info) {
    const auto& trap = reinterpret_cast<const kernel::PerfSiginfo&>(info);
    if (signal != SIGTRAP || !witness::is_ours(trap)) return false;
    const session::Locked locked;
    witness::count_late(trap);
    return true;
}

constexpr int64_t kSecondNs = 1'000'000'000;

// `wait(info, timeout)` is the call of that name with the host's set: a signal, or -1 and errno.
template <typename Wait>
int wait_for_host(const Wait& wait, const void* set, siginfo_t* info,
                  const struct timespec* timeout) {
    struct timespec left = {};
    const bool has_time = timeout == nullptr || read_argument(timeout, &left, sizeof(left));
    if (!has_time || !may_get_ours(set)) return wait(info, timeout);
    uint64_t end_ns = 0;
    if (timeout != nullptr) {
        end_ns =
            sys::monotonic_ns() + static_cast<uint64_t>(left.tv_sec * kSecondNs + left.tv_nsec);
    }
    for (;;) {
        siginfo_t found;
        const int signal = wait(&found, timeout == nullptr ? nullptr : &left);
        if (!take_ours(signal, found)) {
            if (signal <= 0 || info == nullptr || write_result(&found, info, sizeof(found))) {
                return signal;
            }
            errno = EFAULT;
            return -1;
        }
        if (timeout == nullptr) continue;
        const uint64_t now_ns = sys::monotonic_ns();
        const uint64_t left_ns = end_ns > now_ns ? end_ns - now_ns : 0;
        left = {static_cast<time_t>(left_ns / kSecondNs), static_cast<long>(left_ns % kSecondNs)};
    }
}

int wait_by_libc(const sigset_t* set, siginfo_t* info, const struct timespec* timeout) {
    return wait_for_host(
        [&](siginfo_t* found, const struct timespec* left) {
            return real::sigtimedwait(set, found, left);
        },
        set, info, timeout);
}

}  // namespace

namespace {

// What is pending of SIGTRAP: this thread's own first, and then its process's.
bool take_pending(siginfo_t* info) {
    const struct timespec at_once = {0, 0};
    return sys::syscall4(SYS_rt_sigtimedwait, sys::word(&session::kTrapOnly), sys::word(info),
                         sys::word(&at_once), sizeof(session::kTrapOnly)) == SIGTRAP;
}

// What was sent to the process may be meant for another thread of it. Only a thread itself may say
// who the sender was, and its number names the process as well.
bool was_sent_to_process(const siginfo_t& info) {
    return info.si_code == SI_USER || info.si_code == SI_QUEUE || info.si_code == SI_TIMER ||
           info.si_code == SI_MESGQ || info.si_code == SI_ASYNCIO;
}

void send_to_process(const siginfo_t& info) {
    sys::syscall3(SYS_rt_sigqueueinfo, sys::gettid(), info.si_signo, sys::word(&info));
}

long send_to_thread(const siginfo_t& info, int signal) {
    return sys::syscall4(SYS_rt_tgsigqueueinfo, sys::getpid(), sys::gettid(), signal,
                         sys::word(&info));
}

void drop_ours() {
    siginfo_t info;
    while (take_pending(&info)) {
        if (take_ours(SIGTRAP, info)) continue;
        if (was_sent_to_process(info)) {
            send_to_process(info);
        } else {
            send_to_thread(info, SIGTRAP);
        }
        return;
    }
}

}  // namespace

void send_again(const siginfo_t& info) {
    if (was_sent_to_process(info)) {
        send_to_process(info);
        return;
    }
    send_to_self(info.si_signo, [&](int signal) { return send_to_thread(info, signal); });
}

bool has_own_trap_pending() {
    siginfo_t info;
    while (take_pending(&info)) {
        if (take_ours(SIGTRAP, info)) continue;
        send_again(info);
        return true;
    }
    return false;
}

void make_room_for_trap() {
    if (session::is_current() && epoch::sharing.trap.is_open()) drop_ours();
}

NoTrapIsPending::NoTrapIsPending() {
    if (!session::is_current() || !epoch::sharing.trap.is_open()) return;
    {
        const session::Locked locked;
        if (!locked.is_trap_blocked()) return;
        mean_ = epoch::sharing.trap.mean();
        epoch::sharing.trap.close();
    }
    has_own_trap_pending();
}

NoTrapIsPending::~NoTrapIsPending() {
    if (mean_ == 0 || !session::is_current() || epoch::sharing.epoch == nullptr) return;
    const session::Locked locked;
    epoch::sharing.trap.open(mean_, &epoch::sharing.epoch->sampling, false);
}

long wait_for_signal(const void* set, siginfo_t* info, const struct timespec* timeout,
                     size_t bytes) {
    const KeptErrno kept_errno;
    const int signal = wait_for_host(
        [&](siginfo_t* found, const struct timespec* left) {
            const long got = sys::syscall4(SYS_rt_sigtimedwait, sys::word(set), sys::word(found),
                                           sys::word(left), static_cast<long>(bytes));
            if (sys::failed(got)) errno = static_cast<int>(-got);
            return sys::failed(got) ? -1 : static_cast<int>(got);
        },
        set, info, timeout);
    return signal < 0 ? -errno : signal;
}

long pending_signals(void* set, size_t bytes) {
    const long result = sys::syscall2(SYS_rt_sigpending, sys::word(set), static_cast<long>(bytes));
    if (result != 0 || bytes != sizeof(sys::SignalMask) || !may_get_ours(set)) return result;
    sys::SignalMask pending = 0;
    std::memcpy(&pending, set, sizeof(pending));
    if (!has_own_trap_pending()) pending &= ~session::kTrapOnly;
    std::memcpy(set, &pending, sizeof(pending));
    return result;
}

void leave_trap_out(int fd, const void* mask, int flags) {
    if (!session::is_current() || session::options.witness == session::WitnessChoice::off) return;
    sys::SignalMask without = 0;
    // The kernel has read as much.
    std::memcpy(&without, mask, sizeof(without));
    if ((without & session::kTrapOnly) == 0) return;
    without &= ~session::kTrapOnly;
    sys::syscall4(SYS_signalfd4, fd, sys::word(&without), sizeof(without), flags);
}

namespace {

int raise_in_thread(int signal) {
    if (signal != SIGTRAP || !session::is_current() || !epoch::sharing.trap.is_open())
        return real::raise(signal);
    send_to_self(signal, [](int each) { return sys::tgkill(sys::getpid(), sys::gettid(), each); });
    return 0;
}

}  // namespace
}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_SIGNAL_WAIT_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED int sigtimedwait(const sigset_t* set, siginfo_t* info,
                                     const struct timespec* timeout) {
    return wait_by_libc(set, info, timeout);
}

COWSCOPE_INTERPOSED int sigwaitinfo(const sigset_t* set, siginfo_t* info) {
    return wait_by_libc(set, info, nullptr);
}

// Never ends with EINTR (sigwait(3)), and has its own way to say what went wrong.
COWSCOPE_INTERPOSED int sigwait(const sigset_t* set, int* signal) {
    const KeptErrno kept_errno;
    int got = 0;
    do {
        got = wait_by_libc(set, nullptr, nullptr);
    } while (got < 0 && errno == EINTR);
    const int error = got < 0 ? errno : 0;
    if (error == 0) *signal = got;
    return error;
}

// What is read from it cannot be told apart on the way, so it brings no SIGTRAP at all: a program
// that sends itself SIGTRAP to read it there waits in vain.
COWSCOPE_INTERPOSED int signalfd(int fd, const sigset_t* mask, int flags) noexcept {
    const int result = real::signalfd(visible(fd), mask, flags);
    if (result >= 0) leave_trap_out(result, mask, flags);
    return result;
}

COWSCOPE_INTERPOSED int raise(int signal) noexcept {
    return raise_in_thread(signal);
}
// To other threads they go by libc, which knows whether a thread still lives.
COWSCOPE_INTERPOSED int pthread_kill(pthread_t thread, int signal) noexcept {
    if (signal != SIGTRAP || thread != pthread_self()) return real::pthread_kill(thread, signal);
    return raise_in_thread(signal) == 0 ? 0 : errno;
}
COWSCOPE_INTERPOSED int pthread_sigqueue(pthread_t thread, int signal,
                                         const union sigval value) noexcept {
    using namespace cowscope;
    if (signal != SIGTRAP || thread != pthread_self()) {
        return real::pthread_sigqueue(thread, signal, value);
    }
    siginfo_t info;
    std::memset(&info, 0, sizeof(info));
    info.si_signo = signal;
    info.si_code = SI_QUEUE;
    info.si_pid = sys::getpid();
    info.si_uid = static_cast<uid_t>(sys::syscall0(SYS_getuid));
    info.si_value = value;
    const long result = send_to_self(signal, [&](int each) { return send_to_thread(info, each); });
    return static_cast<int>(-result);
}

COWSCOPE_INTERPOSED int tgkill(pid_t pid, pid_t tid, int signal) noexcept {
    using namespace cowscope;
    const auto send = [&](int each) -> long { return sys::tgkill(pid, tid, each); };
    const bool is_own_trap = signal == SIGTRAP && tid == sys::gettid();
    const long result = is_own_trap ? send_to_self(signal, send) : send(signal);
    if (!sys::failed(result)) return static_cast<int>(result);
    errno = static_cast<int>(-result);
    return -1;
}

COWSCOPE_INTERPOSED int sigpending(sigset_t* set) noexcept {
    const int result = real::sigpending(set);
    if (result == 0 && may_get_ours(set) && !has_own_trap_pending()) sigdelset(set, SIGTRAP);
    return result;
}
