#include "hooks/signals/handled_signals.h"

#include <ucontext.h>

#include <atomic>
#include <cstring>

#include "epoch/classify.h"
#include "epoch/end.h"
#include "epoch/epoch.h"
#include "hooks/real.h"
#include "hooks/signals/waiting_threads.h"
#include "session/session.h"
#include "witness/host_signals.h"
#include "witness/trap.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

// Signals that end a program by default and that others send to end it.
constexpr int kEndingSignals[] = {SIGTERM, SIGINT, SIGHUP};
// libc sets it in each action, and the host reads it back (sigaction(2)).
constexpr int kRestorer = 0x04000000;
// Others the kernel takes out (include/uapi/asm-generic/signal-defs.h, UAPI_SA_FLAGS; Linux 5.11).
constexpr int kKnownFlags = static_cast<int>(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK |
                                             SA_RESTART | SA_NODEFER | SA_RESETHAND | 0x800);

using TrapHandler = void (*)(int, siginfo_t*, void*);

struct sigaction host_trap_action;  // what the host believes it has for SIGTRAP
TrapHandler trap_handler = nullptr;
// Programs that are being executed, for which the kernel has SIG_IGN.
unsigned executions_under_way = 0;
// Set once this process, or an ancestor that it was forked from, is watched.
bool ends_are_handled = false;

struct sigaction default_action() {
    struct sigaction action;
    std::memset(&action, 0, sizeof(action));
    action.sa_handler = SIG_DFL;
    return action;
}

void on_end(int signal, siginfo_t*, void*) {
    epoch::finish(trace::EndKind::signal, signal);
    const struct sigaction action = default_action();
    real::sigaction(signal, &action, nullptr);
    // Blocked while this handler runs: it strikes on return, and the parent sees the same death.
    sys::tgkill(sys::getpid(), sys::gettid(), signal);
}

bool is_handled_by(const struct sigaction& action, TrapHandler handler) {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == handler;
}

bool is_ignored(const struct sigaction& action) {
    return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
}

bool is_default(const struct sigaction& action) {
    return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL;
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

// A handler of the host's runs on the stack that it has chosen, and interrupts the calls that it is
// to interrupt. Where it has none there is nothing to interrupt, and ours needs little stack.
struct sigaction trap_action() {
    constexpr int kHostFlags = SA_ONSTACK | SA_RESTART;
    const bool has_handler = !is_default(host_trap_action) && !is_ignored(host_trap_action);
    struct sigaction action;
    std::memset(&action, 0, sizeof(action));
    action.sa_sigaction = trap_handler;
    action.sa_flags =
        SA_SIGINFO | (has_handler ? host_trap_action.sa_flags & kHostFlags : kHostFlags);
    block_all(&action);
    return action;
}

bool set_trap_action() {
    const struct sigaction ours = trap_action();
    return real::sigaction(SIGTRAP, &ours, nullptr) == 0;
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

// As the kernel would give it back.
struct sigaction as_kept(const struct sigaction& action) {
    struct sigaction kept = action;
    kept.sa_flags = (action.sa_flags & kKnownFlags) | kRestorer;
    kept.sa_restorer = host_trap_action.sa_restorer;
    sigdelset(&kept.sa_mask, SIGKILL);
    sigdelset(&kept.sa_mask, SIGSTOP);
    return kept;
}

// Whether the shim's handler is what the kernel has for SIGTRAP in this process.
bool has_trap() {
    struct sigaction now;
    if (trap_handler == nullptr || real::sigaction(SIGTRAP, nullptr, &now) != 0) return false;
    return is_handled_by(now, trap_handler);
}

// In a process that shares the memory of this one, or was forked from it unseen: its actions are
// its own, and what is kept here is not.
int change_other_trap_action(const struct sigaction* action, struct sigaction* old) {
    const struct sigaction before = host_trap_action;
    if (action != nullptr && real::sigaction(SIGTRAP, action, nullptr) != 0) return -1;
    if (old != nullptr) *old = before;
    return 0;
}

int change_trap_action(const struct sigaction* action, struct sigaction* old) {
    if (!session::is_current()) {
        return has_trap() ? change_other_trap_action(action, old)
                          : real::sigaction(SIGTRAP, action, old);
    }
    const session::Locked locked;
    if (executions_under_way == 0 && !has_trap()) return real::sigaction(SIGTRAP, action, old);
    const struct sigaction before = host_trap_action;
    if (action != nullptr) {
        host_trap_action = as_kept(*action);
        if (executions_under_way == 0) set_trap_action();
    }
    if (old != nullptr) *old = before;
    return 0;
}

// The host's action for a SIGTRAP that is being delivered; one that is to be used once is gone then
// (kernel/signal.c, get_signal()).
struct sigaction take_host_action() {
    if (!session::is_current()) return host_trap_action;
    session::self.lock.lock();
    const struct sigaction action = host_trap_action;
    const bool has_handler = !is_default(action) && !is_ignored(action);
    if (has_handler && (action.sa_flags & static_cast<int>(SA_RESETHAND)) != 0) {
        // The flags stay as they are.
        host_trap_action.sa_handler = SIG_DFL;
        host_trap_action.sa_flags &= ~SA_SIGINFO;
    }
    session::self.lock.unlock();
    return action;
}

// Of an instruction or the kernel's doing: those cannot be ignored (kernel/signal.c,
// force_sig_info_to_task()). Of a perf event they can.
bool is_forced(const siginfo_t& info) {
    return info.si_code > 0 && info.si_code != kernel::kTrapPerf;
}

}  // namespace

void handle_default_ends() {
    if (ends_are_handled) return;
    ends_are_handled = true;
    for (const int signal : kEndingSignals) {
        struct sigaction now;
        if (real::sigaction(signal, nullptr, &now) != 0) continue;
        if (!is_default(now)) continue;
        const struct sigaction ours = end_action();
        real::sigaction(signal, &ours, nullptr);
    }
}

bool may_be_handled(int signal) {
    return signal == SIGTRAP || is_ending_signal(signal);
}

// What the host is told and what the kernel is told, for the signals that the shim may handle.
int change_action(int signal, const struct sigaction* action, struct sigaction* old) {
    if (signal == SIGTRAP && trap_handler != nullptr) return change_trap_action(action, old);
    if (!is_ending_signal(signal)) return real::sigaction(signal, action, old);
    struct sigaction before;
    if (real::sigaction(signal, nullptr, &before) != 0) return -1;
    const bool was_ours = is_handled_by(before, on_end);
    const bool to_default = action != nullptr && is_default(*action);
    if (action != nullptr && !(was_ours && to_default)) {
        const struct sigaction ours = end_action();
        const bool is_taken = to_default && ends_are_handled;
        if (real::sigaction(signal, is_taken ? &ours : action, &before) != 0) return -1;
    }
    if (old != nullptr) *old = was_ours ? default_action() : before;
    return 0;
}

void note_restart_flag(int signal, int flags) {
    if (signal != SIGTRAP || !session::is_current() || trap_handler == nullptr) return;
    const session::Locked locked;
    host_trap_action.sa_flags = (host_trap_action.sa_flags & ~SA_RESTART) | flags;
}

IgnoredTrapIsKept::IgnoredTrapIsKept() {
    if (trap_handler == nullptr || !is_ignored(host_trap_action)) return;
    struct sigaction ignored = default_action();
    ignored.sa_handler = SIG_IGN;
    if (!session::is_current()) {
        // A child of vfork(): its own action, and nothing to be noted in what it shares.
        is_kept_ = has_trap() && real::sigaction(SIGTRAP, &ignored, nullptr) == 0;
        return;
    }
    // What other threads write meanwhile is known by a census alone.
    epoch::before_unseen_writes();
    const session::Locked locked;
    is_kept_ = executions_under_way != 0 || has_trap();
    if (!is_kept_) return;
    if (executions_under_way++ == 0) real::sigaction(SIGTRAP, &ignored, nullptr);
}

IgnoredTrapIsKept::~IgnoredTrapIsKept() {
    if (!is_kept_) return;
    if (!session::is_current()) {
        set_trap_action();
        return;
    }
    const session::Locked locked;
    if (--executions_under_way == 0) set_trap_action();
}

}  // namespace cowscope::hooks

namespace cowscope::witness {

using namespace cowscope::hooks;

bool handle_trap(TrapHandler handler) {
    if (executions_under_way != 0) return true;
    struct sigaction now;
    if (real::sigaction(SIGTRAP, nullptr, &now) != 0) return false;
    if (is_handled_by(now, handler)) return true;
    trap_handler = handler;
    host_trap_action = now;
    return set_trap_action();
}

void pass_trap_to_host(int signal, siginfo_t* info, void* context) {
    auto& interrupted = *static_cast<ucontext_t*>(context);
    if (waiting_threads.put_off(sys::gettid(), &interrupted)) {
        send_again(*info);
        return;
    }
    const struct sigaction action = take_host_action();
    if (is_default(action) || (is_ignored(action) && is_forced(*info))) {
        on_end(signal, info, context);
        return;
    }
    if (is_ignored(action)) return;
    block_as_for(action, signal, interrupted);
    if ((action.sa_flags & SA_SIGINFO) != 0) {
        action.sa_sigaction(signal, info, context);
    } else {
        action.sa_handler(signal);
    }
}

void let_into_wait(ucontext_t* interrupted) {
    waiting_threads.let_in(interrupted);
}

}  // namespace cowscope::witness

namespace cowscope::session {

// Everything that this function writes to the stack is written before the last look at what is
// pending: a first write to a stack page behind it would leave one more signal.
__attribute__((noinline)) void restore_signal_mask(sys::SignalMask mask) {
    volatile sys::SignalMask outside = mask;
    if (epoch::sharing.trap.is_open() && (mask & session::kTrapOnly) == 0) {
        const struct timespec at_once = {0, 0};
        union {
            siginfo_t whole;
            kernel::PerfSiginfo trap;
        } info;
        while (sys::syscall4(SYS_rt_sigtimedwait, sys::word(&session::kTrapOnly), sys::word(&info),
                             sys::word(&at_once), sizeof(session::kTrapOnly)) == SIGTRAP) {
            if (witness::is_ours(info.trap)) {
                session::self.lock.lock();
                if (epoch::sharing.trap.takes(info.trap)) epoch::sharing.trap.count_told(info.trap);
                session::self.lock.unlock();
                continue;
            }
            // Somebody sent this one: the host gets it when its mask is back.
            hooks::send_again(info.whole);
            break;
        }
    }
    sys::syscall4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, sys::word(&outside), 0, sizeof(outside));
}

}  // namespace cowscope::session
