#include "hooks/raw/signal_calls.h"

#include <errno.h>

#include <cstring>

#include "arch/cpu.h"
#include "epoch/classify.h"
#include "epoch/epoch.h"
#include "hooks/descriptors/poll_and_select.h"
#include "hooks/process/exec.h"
#include "hooks/signals/handled_signals.h"
#include "hooks/signals/masked_waits.h"
#include "session/session.h"
#include "support/guarded_read.h"
#include "support/kept_errno.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

using cpu::KernelAction;

struct sigaction of_libc(const KernelAction& action) {
    struct sigaction converted;
    std::memset(&converted, 0, sizeof(converted));
    converted.sa_handler = reinterpret_cast<void (*)(int)>(action.handler);
    converted.sa_flags = static_cast<int>(action.flags);
    converted.sa_restorer = reinterpret_cast<void (*)()>(action.restorer);
    std::memcpy(&converted.sa_mask, &action.mask, sizeof(action.mask));
    return converted;
}

KernelAction of_kernel(const struct sigaction& action) {
    KernelAction converted = {reinterpret_cast<uint64_t>(action.sa_handler),
                              static_cast<unsigned>(action.sa_flags),
                              reinterpret_cast<uint64_t>(action.sa_restorer), 0};
    std::memcpy(&converted.mask, &action.sa_mask, sizeof(converted.mask));
    return converted;
}

const void* pointer(long argument) {
    return reinterpret_cast<const void*>(argument);
}

long make(const RawCall& call) {
    const long* with = call.arguments;
    // The program's own, whatever it is.
    return sys::raw_syscall6(call.number, with[0], with[1], with[2], with[3], with[4], with[5]);
}

// rt_sigaction(signal, action, old, bytes of a mask).
bool change_raw_action(const long* with, long* result) {
    const int signal = static_cast<int>(with[0]);
    KernelAction action;
    if (with[3] != sizeof(sys::SignalMask) || !may_be_handled(signal)) return false;
    if (with[1] != 0 && !read_argument(pointer(with[1]), &action, sizeof(action))) return false;
    const struct sigaction converted = of_libc(action);
    struct sigaction old;
    int changed = 0;
    {
        const KeptErrno kept_errno;
        changed = change_action(signal, with[1] != 0 ? &converted : nullptr, &old);
        *result = changed == 0 ? 0 : -errno;
    }
    if (changed == 0 && with[2] != 0) {
        const KernelAction before = of_kernel(old);
        if (!write_result(&before, reinterpret_cast<void*>(with[2]), sizeof(before))) {
            *result = -EFAULT;
        }
    }
    return true;
}

bool blocks_trap(const long* with) {
    sys::SignalMask mask = 0;
    return with[0] != SIG_UNBLOCK && with[1] != 0 &&
           read_argument(pointer(with[1]), &mask, sizeof(mask)) && (mask & session::kTrapOnly) != 0;
}

// pselect6() and io_pgetevents() have the mask's address in a struct.
const void* mask_behind(long argument) {
    const void* mask = nullptr;
    if (argument == 0 || !read_argument(pointer(argument), &mask, sizeof(mask))) return nullptr;
    return mask;
}

bool wait_with_mask(const RawCall& call, const void* mask, long* result) {
    const MaskedWait wait(mask);
    *result = make(call);
    return true;
}

// The signal is the call's argument of number `at`, and the thread stands before it.
bool send_trap(const RawCall& call, size_t at, long* result) {
    if (call.arguments[at] != SIGTRAP || call.arguments[at - 1] != sys::gettid()) return false;
    *result = send_to_self(SIGTRAP, [&](int signal) {
        RawCall each = call;
        each.arguments[at] = signal;
        return make(each);
    });
    return true;
}

}  // namespace

bool answer_signal_call(const RawCall& call, long* result) {
    const long* with = call.arguments;
    switch (call.number) {
        case SYS_rt_sigaction:
            return change_raw_action(with, result);
        case SYS_rt_sigprocmask:
            if (blocks_trap(with)) epoch::before_blocking_trap();
            return false;
        case SYS_rt_sigsuspend:
            return wait_with_mask(call, pointer(with[0]), result);
        case SYS_ppoll:
            return poll_without_own(reinterpret_cast<struct pollfd*>(with[0]),
                                    static_cast<unsigned>(with[1]),
                                    [&] { return wait_with_mask(call, pointer(with[3]), result); });
        case SYS_epoll_pwait:
        case kEpollPwait2:
            return wait_with_mask(call, pointer(with[4]), result);
        case SYS_pselect6:
            if (has_own_in(static_cast<int>(with[0]), pointer(with[1]), pointer(with[2]),
                           pointer(with[3]))) {
                *result = -EBADF;
                return true;
            }
            return wait_with_mask(call, mask_behind(with[5]), result);
        case SYS_io_pgetevents:
            return wait_with_mask(call, mask_behind(with[5]), result);
        case SYS_rt_sigtimedwait:
            *result = wait_for_signal(pointer(with[0]), reinterpret_cast<siginfo_t*>(with[1]),
                                      reinterpret_cast<const struct timespec*>(with[2]),
                                      static_cast<size_t>(with[3]));
            return true;
        case SYS_rt_sigpending:
            *result =
                pending_signals(reinterpret_cast<void*>(with[0]), static_cast<size_t>(with[1]));
            return true;
        case SYS_signalfd:
        case SYS_signalfd4:
            *result = make(call);
            if (!sys::failed(*result)) {
                const long flags = call.number == SYS_signalfd4 ? with[3] : 0;
                leave_trap_out(static_cast<int>(*result), pointer(with[1]),
                               static_cast<int>(flags));
            }
            return true;
        case SYS_tkill:
            return send_trap(call, 1, result);
        case SYS_tgkill:
        case SYS_rt_tgsigqueueinfo:
            return send_trap(call, 2, result);
        case SYS_execve:
        case SYS_execveat: {
            const BecomingAnotherProgram becoming;
            *result = make(call);
            return true;
        }
        default:
            return false;
    }
}

}  // namespace cowscope::hooks
