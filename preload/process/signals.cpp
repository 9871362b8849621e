#include "process/signals.h"

#include <ucontext.h>

#include <cstring>

#include "process/interpose.h"
#include "process/process.h"
#include "process/real.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

// Signals that end a program by default and that others send to end it.
constexpr int kEndingSignals[] = {SIGTERM, SIGINT, SIGHUP};

struct sigaction host_trap_action;  // what the host believes it has for SIGTRAP
bool trap_is_ours = false;
// Set once this process, or an ancestor that it was forked from, is watched.
bool ends_are_handled = false;

struct sigaction default_action() {
    struct sigaction action;
    std::memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_DFL;
    return action;
}

void on_end(int signal, siginfo_t*, void*) {
    finish(trace::EndKind::signal, signal);
    const struct sigaction action = default_action();
    real().sigaction(signal, &action, nullptr);
    // Blocked while this handler runs: it strikes on return, and the parent sees the same death.
    sys::tgkill(sys::getpid(), sys::gettid(), signal);
}

bool is_ours(const struct sigaction& action) {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_end;
}

// sigfillset() leaves out those that libc keeps for itself, of which one cancels threads: a thread
// that is cancelled in a handler of ours would take our lock with it.
void block_all(struct sigaction* action) {
    std::memset(&action->sa_mask, 0xff, sizeof(action->sa_mask));
}

struct sigaction end_action() {
    struct sigaction action;
    std::memset(&action, 0, sizeof(action));
    action.sa_sigaction = on_end;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    block_all(&action);
    return action;
}

bool is_ending_signal(int signal) {
    for (const int each : kEndingSignals) {
        if (each == signal) return true;
    }
    return false;
}

// What the kernel would block while this action's handler runs (sigaction(2)).
void block_as_for(const struct sigaction& action, int signal, const ucontext_t& interrupted) {
    sys::SignalMask before;
    sys::SignalMask asked_for;
    std::memcpy(&before, &interrupted.uc_sigmask, sizeof(before));
    std::memcpy(&asked_for, &action.sa_mask, sizeof(asked_for));
    const sys::SignalMask itself =
        (action.sa_flags & SA_NODEFER) != 0 ? 0 : sys::SignalMask{1} << (signal - 1);
    sys::set_signal_mask(before | asked_for | itself);
}

int change_trap_action(const struct sigaction* action, struct sigaction* old) {
    if (old != nullptr) *old = host_trap_action;
    if (action != nullptr) host_trap_action = *action;
    return 0;
}

}  // namespace

void handle_default_ends() {
    if (ends_are_handled) return;
    ends_are_handled = true;
    for (const int signal : kEndingSignals) {
        struct sigaction now;
        if (real().sigaction(signal, nullptr, &now) != 0) continue;
        if ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) continue;
        const struct sigaction ours = end_action();
        real().sigaction(signal, &ours, nullptr);
    }
}

bool handle_trap(void (*handler)(int, siginfo_t*, void*)) {
    if (trap_is_ours) return true;
    struct sigaction action;
    std::memset(&action, 0, sizeof(action));
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    block_all(&action);
    trap_is_ours = real().sigaction(SIGTRAP, &action, &host_trap_action) == 0;
    return trap_is_ours;
}

void pass_trap_to_host(int signal, siginfo_t* info, void* context) {
    const struct sigaction action = host_trap_action;
    const bool takes_info = (action.sa_flags & SA_SIGINFO) != 0;
    if (!takes_info && action.sa_handler == SIG_DFL) {
        on_end(signal, info, context);
        return;
    }
    if (!takes_info && action.sa_handler == SIG_IGN) return;
    block_as_for(action, signal, *static_cast<const ucontext_t*>(context));
    if (takes_info) {
        action.sa_sigaction(signal, info, context);
    } else {
        action.sa_handler(signal);
    }
}

// Everything that this function writes to the stack is written before the last look at what is
// pending: a first write to a stack page behind it would leave one more signal.
__attribute__((noinline)) void restore_signal_mask(sys::SignalMask mask) {
    volatile sys::SignalMask outside = mask;
    if (process.trap.is_open() && (mask & kTrapOnly) == 0) {
        const struct timespec at_once = {0, 0};
        witness::TrapInfo info[sizeof(siginfo_t) / sizeof(witness::TrapInfo) + 1];
        while (sys::syscall4(SYS_rt_sigtimedwait, sys::word(&kTrapOnly), sys::word(info),
                             sys::word(&at_once), sizeof(kTrapOnly)) == SIGTRAP) {
            if (witness::is_ours(info[0])) {
                process.lock.lock();
                process.trap.takes(witness::event_of(info[0]));
                process.lock.unlock();
                continue;
            }
            // Somebody sent this one: the host gets it when its mask is back.
            sys::tgkill(sys::getpid(), sys::gettid(), SIGTRAP);
            break;
        }
    }
    sys::syscall4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, sys::word(&outside), 0, sizeof(outside));
}

// What the host is told and what the kernel is told, for the signals that the shim may handle.
int change_action(int signal, const struct sigaction* action, struct sigaction* old) {
    if (signal == SIGTRAP && trap_is_ours) return change_trap_action(action, old);
    if (!is_ending_signal(signal)) return real().sigaction(signal, action, old);
    struct sigaction before;
    if (real().sigaction(signal, nullptr, &before) != 0) return -1;
    const bool was_ours = is_ours(before);
    const bool to_default =
        action != nullptr && (action->sa_flags & SA_SIGINFO) == 0 && action->sa_handler == SIG_DFL;
    if (action != nullptr && !(was_ours && to_default)) {
        const struct sigaction ours = end_action();
        const bool is_taken = to_default && ends_are_handled;
        if (real().sigaction(signal, is_taken ? &ours : action, &before) != 0) return -1;
    }
    if (old != nullptr) *old = was_ours ? default_action() : before;
    return 0;
}

// While SIGTRAP is blocked the witness is blind.
void before_mask_change(int how, const sigset_t* set) {
    if (set == nullptr || how == SIG_UNBLOCK || sigismember(set, SIGTRAP) != 1) return;
    before_unseen_writes();
}

using Handler = void (*)(int);

Handler change_handler(int signal, Handler handler, int flags) {
    struct sigaction action;
    struct sigaction old;
    std::memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    if ((flags & SA_NODEFER) == 0) sigaddset(&action.sa_mask, signal);
    return change_action(signal, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

}  // namespace cowscope::process

COWSCOPE_INTERPOSED int sigaction(int signal, const struct sigaction* action,
                                  struct sigaction* old) noexcept {
    return cowscope::process::change_action(signal, action, old);
}

// glibc's signal() has BSD semantics, its __sysv_signal() those of System V (signal(2)).
COWSCOPE_INTERPOSED cowscope::process::Handler signal(int signal,
                                                      cowscope::process::Handler handler) noexcept {
    return cowscope::process::change_handler(signal, handler, SA_RESTART);
}
COWSCOPE_INTERPOSED cowscope::process::Handler bsd_signal(
    int signal, cowscope::process::Handler handler) noexcept {
    return cowscope::process::change_handler(signal, handler, SA_RESTART);
}
COWSCOPE_INTERPOSED cowscope::process::Handler ssignal(
    int signal, cowscope::process::Handler handler) noexcept {
    return cowscope::process::change_handler(signal, handler, SA_RESTART);
}
COWSCOPE_INTERPOSED cowscope::process::Handler __sysv_signal(
    int signal, cowscope::process::Handler handler) noexcept {
    return cowscope::process::change_handler(signal, handler,
                                             static_cast<int>(SA_RESETHAND | SA_NODEFER));
}
COWSCOPE_INTERPOSED cowscope::process::Handler sysv_signal(
    int signal, cowscope::process::Handler handler) noexcept {
    return cowscope::process::change_handler(signal, handler,
                                             static_cast<int>(SA_RESETHAND | SA_NODEFER));
}

COWSCOPE_INTERPOSED int sigprocmask(int how, const sigset_t* set, sigset_t* old) noexcept {
    cowscope::process::before_mask_change(how, set);
    return cowscope::process::real().sigprocmask(how, set, old);
}
COWSCOPE_INTERPOSED int pthread_sigmask(int how, const sigset_t* set, sigset_t* old) noexcept {
    cowscope::process::before_mask_change(how, set);
    return cowscope::process::real().pthread_sigmask(how, set, old);
}
