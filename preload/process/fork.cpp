// Forks: pthread_atfork sees fork(), daemon() and forkpty(); _Fork() and clone() are interposed.
// vfork() and posix_spawn() share the address space until exec, so there is nothing to track.

#include <errno.h>
#include <sched.h>
#include <stdarg.h>

#include "process/interpose.h"
#include "process/process.h"
#include "process/real.h"
#include "process/signals.h"

#include "support/poison.h"

namespace cowscope::process {

// The lock is held from here to the far side of the fork, so that the child finds the shim's state
// whole and nobody else in the middle of it.
void before_fork() {
    if (!is_current()) return;
    const sys::SignalMask mask = sys::set_signal_mask(sys::kAllSignals);
    process.lock.lock();
    process.mask_before_fork = mask;
}

void after_fork_in_parent() {
    if (!is_current()) return;
    const sys::SignalMask mask = process.mask_before_fork;
    ++process.forks;
    if (auto* record = process.writer.begin<trace::ForkRecord>(trace::RecordType::fork)) {
        record->time_ns = sys::monotonic_ns();
        record->ordinal = process.forks;
        record->padding = 0;
        process.writer.commit();
    }
    track();
    process.lock.unlock();
    restore_signal_mask(mask);
}

void after_fork_in_child() {
    if (process.pid == 0) return;
    const pid_t parent = process.pid;
    const sys::SignalMask mask = process.mask_before_fork;
    process.pid = sys::getpid();
    process.forks = 0;
    // The arena was not inherited, and the descriptors act on the parent.
    process.tracked = nullptr;
    process.tracker.close();
    process.trap.close_inherited();
    process.writer.forget_inherited();
    if (open_segment(trace::Role::fork, parent, sys::monotonic_ns())) {
        track();
    } else {
        process.pid = 0;
    }
    process.lock.unlock();
    restore_signal_mask(mask);
}

namespace {

struct CloneStart {
    int (*function)(void*);
    void* argument;
};

// Where a child of clone() starts. CloneStart lies on the parent's stack, of which the child has a
// copy.
int start_cloned(void* start) {
    const CloneStart here = *static_cast<CloneStart*>(start);
    after_fork_in_child();
    const int status = here.function(here.argument);
    finish(trace::EndKind::exit, status & 0xff);
    return status;
}

}  // namespace
}  // namespace cowscope::process

COWSCOPE_INTERPOSED pid_t _Fork() noexcept {
    using namespace cowscope::process;
    before_fork();
    const pid_t child = real().fork();
    const int saved_errno = errno;
    if (child == 0) {
        after_fork_in_child();
    } else {
        after_fork_in_parent();
    }
    errno = saved_errno;
    return child;
}

COWSCOPE_INTERPOSED int clone(int (*function)(void*), void* stack, int flags, void* argument,
                              ...) noexcept {
    using namespace cowscope::process;
    va_list more;
    va_start(more, argument);
    auto* parent_tid = va_arg(more, pid_t*);
    auto* tls = va_arg(more, void*);
    auto* child_tid = va_arg(more, pid_t*);
    va_end(more);
    if ((flags & CLONE_VM) != 0 || function == nullptr || !is_current()) {
        return real().clone(function, stack, flags, argument, parent_tid, tls, child_tid);
    }
    CloneStart start = {function, argument};
    before_fork();
    const int child = real().clone(start_cloned, stack, flags, &start, parent_tid, tls, child_tid);
    const int saved_errno = errno;
    after_fork_in_parent();
    errno = saved_errno;
    return child;
}
