// The functions by which a host sets what it does with a signal, and which signals it blocks.
#include <errno.h>

#include <cstring>

#include "epoch/classify.h"
#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "hooks/signals/handled_signals.h"
#include "session/session.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

using Handler = void (*)(int);

// Bit n-1: siginterrupt(3) has asked that signal n interrupts calls; signal() then says so, too.
sys::SignalMask interrupting = 0;

bool is_signal(int signal) {
    return signal >= 1 && signal < NSIG;
}

int restart_flag(int signal) {
    const bool interrupts = is_signal(signal) && (interrupting >> (signal - 1) & 1) != 0;
    return interrupts ? 0 : SA_RESTART;
}

// While SIGTRAP is blocked the witness is blind.
void before_mask_change(int how, const sigset_t* set) {
    if (set == nullptr || how == SIG_UNBLOCK || sigismember(set, SIGTRAP) != 1) return;
    epoch::before_blocking_trap();
}
// By a mask of the first 32 signals.
void before_mask_change(int mask) {
    if ((static_cast<unsigned>(mask) & session::kTrapOnly) != 0) epoch::before_blocking_trap();
}

Handler change_handler(int signal, Handler handler, int flags, bool blocks_itself) {
    if (handler == SIG_ERR || !is_signal(signal)) {
        errno = EINVAL;
        return SIG_ERR;
    }
    struct sigaction action;
    struct sigaction old;
    std::memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    if (blocks_itself) sigaddset(&action.sa_mask, signal);
    return change_action(signal, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

Handler change_handler_of_bsd(int signal, Handler handler) {
    return change_handler(signal, handler, restart_flag(signal), true);
}
// Its handler is called once, with nothing blocked (signal(2)).
Handler change_handler_of_system_v(int signal, Handler handler) {
    return change_handler(signal, handler, static_cast<int>(SA_RESETHAND | SA_NODEFER), false);
}

}  // namespace
}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_SIGNAL_ACTION_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED int sigaction(int signal, const struct sigaction* action,
                                  struct sigaction* old) noexcept {
    return change_action(signal, action, old);
}

// glibc's signal() has BSD semantics, its __sysv_signal() those of System V (signal(2)).
COWSCOPE_INTERPOSED Handler signal(int signal, Handler handler) noexcept {
    return change_handler_of_bsd(signal, handler);
}
COWSCOPE_INTERPOSED Handler __sysv_signal(int signal, Handler handler) noexcept {
    return change_handler_of_system_v(signal, handler);
}

// X/Open's: sigset(3).
COWSCOPE_INTERPOSED Handler sigset(int signal, Handler disposition) noexcept {
    if (disposition == SIG_ERR || !is_signal(signal)) {
        errno = EINVAL;
        return SIG_ERR;
    }
    sigset_t itself;
    sigset_t blocked;
    sigemptyset(&itself);
    sigaddset(&itself, signal);
    if (disposition == SIG_HOLD) {
        if (sigprocmask(SIG_BLOCK, &itself, &blocked) != 0) return SIG_ERR;
        if (sigismember(&blocked, signal) == 1) return SIG_HOLD;
        struct sigaction now;
        return change_action(signal, nullptr, &now) == 0 ? now.sa_handler : SIG_ERR;
    }
    const Handler before = change_handler(signal, disposition, 0, false);
    if (before == SIG_ERR) return SIG_ERR;
    if (real::sigprocmask(SIG_UNBLOCK, &itself, &blocked) != 0) return SIG_ERR;
    return sigismember(&blocked, signal) == 1 ? SIG_HOLD : before;
}
COWSCOPE_INTERPOSED int sigignore(int signal) noexcept {
    return change_handler(signal, SIG_IGN, 0, false) == SIG_ERR ? -1 : 0;
}

COWSCOPE_INTERPOSED int siginterrupt(int signal, int interrupts) noexcept {
    // It keeps the handler that the kernel has, ours too.
    if (real::siginterrupt(signal, interrupts) != 0) return -1;
    const sys::SignalMask bit = sys::SignalMask{1} << (signal - 1);
    interrupting = interrupts != 0 ? interrupting | bit : interrupting & ~bit;
    note_restart_flag(signal, restart_flag(signal));
    return 0;
}

// 4.3BSD's, which old programs are still linked with (glibc: up to 2.20).
extern "C" {
struct cowscope_sigvec {
    Handler handler;
    int mask;
    int flags;
};
}
COWSCOPE_INTERPOSED int sigvec(int signal, const cowscope_sigvec* vector, cowscope_sigvec* old) {
    constexpr int kOnStack = 1;
    constexpr int kInterrupts = 2;
    constexpr int kResets = 4;
    struct sigaction action;
    std::memset(&action, 0, sizeof(action));
    if (vector != nullptr) {
        const auto mask = static_cast<sys::SignalMask>(static_cast<unsigned>(vector->mask));
        action.sa_handler = vector->handler;
        std::memcpy(&action.sa_mask, &mask, sizeof(mask));
        if ((vector->flags & kOnStack) != 0) action.sa_flags |= SA_ONSTACK;
        if ((vector->flags & kInterrupts) == 0) action.sa_flags |= SA_RESTART;
        if ((vector->flags & kResets) != 0) action.sa_flags |= static_cast<int>(SA_RESETHAND);
    }
    struct sigaction before;
    if (change_action(signal, vector != nullptr ? &action : nullptr, &before) != 0) return -1;
    if (old == nullptr) return 0;
    sys::SignalMask blocked = 0;
    std::memcpy(&blocked, &before.sa_mask, sizeof(blocked));
    old->handler = before.sa_handler;
    old->mask = static_cast<int>(blocked);
    old->flags = (before.sa_flags & SA_ONSTACK) != 0 ? kOnStack : 0;
    if ((before.sa_flags & SA_RESTART) == 0) old->flags |= kInterrupts;
    if ((before.sa_flags & static_cast<int>(SA_RESETHAND)) != 0) old->flags |= kResets;
    return 0;
}

COWSCOPE_INTERPOSED int sigprocmask(int how, const sigset_t* set, sigset_t* old) noexcept {
    before_mask_change(how, set);
    return real::sigprocmask(how, set, old);
}
COWSCOPE_INTERPOSED int pthread_sigmask(int how, const sigset_t* set, sigset_t* old) noexcept {
    before_mask_change(how, set);
    return real::pthread_sigmask(how, set, old);
}
COWSCOPE_INTERPOSED int sighold(int signal) noexcept {
    if (signal == SIGTRAP) epoch::before_blocking_trap();
    return real::sighold(signal);
}
COWSCOPE_INTERPOSED int sigblock(int mask) noexcept {
    before_mask_change(mask);
    return real::sigblock(mask);
}
COWSCOPE_INTERPOSED int sigsetmask(int mask) noexcept {
    before_mask_change(mask);
    return real::sigsetmask(mask);
}
