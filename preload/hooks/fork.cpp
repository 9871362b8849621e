// Forks: pthread_atfork sees fork(), daemon() and forkpty(); _Fork() and clone() are interposed.
// vfork() and posix_spawn() share the address space until exec, so there is nothing to track.

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <unistd.h>

#include "epoch/counting.h"
#include "epoch/process.h"
#include "hooks/interpose.h"
#include "hooks/real.h"
#include "hooks/signals.h"
#include "support/kept_errno.h"

#include "support/poison.h"

namespace cowscope::process {

void before_fork() {
    come_to_life();
    if (!is_current()) return;
    // Also waits for another thread that is preparing.
    const Locked locked;
    if (process.tracked == nullptr) prepare_for_children();
    process.look.open_for_children();
    begin_before_fork();
    ++process.forks_under_way;
    process.fork_began_ns = sys::monotonic_ns();
}

// No lock is held across a fork: glibc takes malloc's locks between the handlers before the fork
// and the fork itself, and a thread that holds one of those may be in the witness's handler,
// waiting for ours. The child starts anew instead, with nothing of the parent's state but its
// options.

void after_fork_in_parent() {
    if (!is_current()) return;
    if (process.daemon_tid == sys::gettid()) {
        // If the fork has failed, the process goes on and says more.
        finish(trace::EndKind::exit, 0);
        return;
    }
    const Locked locked;
    --process.forks_under_way;
    // Who does not record any more shares its pages with children that nothing else tells of.
    if (session::budget.is_reached()) go_on_counting();
    const bool has_begun = process.tracked != nullptr && process.tracked->is_before_fork;
    if (!has_begun) ++process.forks;
    if (auto* record = process.writer.begin<trace::ForkRecord>(trace::RecordType::fork)) {
        record->time_ns = process.fork_began_ns;
        record->ordinal = process.forks;
        record->padding = 0;
        process.writer.commit();
    }
    if (has_begun) {
        go_on_after_fork();
    } else {
        begin_generation();
    }
    if (locked.is_trap_blocked()) stop_judging_by_page();
    if (process.writer.reached_bound()) go_on_counting();
}

namespace {

void enter_child(bool shares_descriptors) {
    if (process.pid == 0) return;
    const pid_t parent = process.pid;
    // Before the shim's own.
    process.faults_at_entry = all_faults();
    process.lock.free_in_child();
    // Nothing in the arena was inherited, and the descriptors act on the parent. Where they are the
    // parent's very own, they stay open.
    if (shares_descriptors) {
        process.trap = {};
        process.tracker.forget();
    } else {
        process.trap.close();
        process.tracker.close();
    }
    session::Writer parents = process.writer;
    process.writer = {};
    process.look.become_child(shares_descriptors);
    const Locked locked;
    process.pid = sys::getpid();
    process.has_robust_list = sys::robust_list() != nullptr;
    process.shares_descriptors = shares_descriptors;
    process.forks = 0;
    process.forks_under_way = 0;
    process.daemon_tid = 0;
    process.onlooker_told = false;
    process.tracked = nullptr;
    const int result = process.is_counting
                           ? -EDQUOT
                           : open_segment(trace::Role::fork, parent, sys::monotonic_ns());
    if (result != 0 && result != -EDQUOT) parents.tell_child_failed(-result);
    if (!shares_descriptors) parents.close();
    if (result == 0) {
        begin_generation();
        if (locked.is_trap_blocked()) stop_judging_by_page();
        if (process.writer.reached_bound()) go_on_counting();
    } else if (begin_counting()) {
        begin_generation();
        if (process.tracked == nullptr || process.tracked->stage == Stage::off) {
            count_blind_process();
        }
    } else {
        process.pid = 0;
    }
}

struct CloneStart {
    int (*function)(void*);
    void* argument;
    bool shares_descriptors;
};

// Where a child of clone() starts. CloneStart lies on the parent's stack, of which the child has a
// copy.
int start_cloned(void* start) {
    const CloneStart here = *static_cast<CloneStart*>(start);
    enter_child(here.shares_descriptors);
    const int status = here.function(here.argument);
    finish(trace::EndKind::exit, status & 0xff);
    return status;
}

}  // namespace

void after_fork_in_child() {
    enter_child(false);
}

}  // namespace cowscope::process

COWSCOPE_INTERPOSED pid_t _Fork() noexcept {
    using namespace cowscope::process;
    // It calls the handlers.
    if (real().fork == nullptr) return fork();
    before_fork();
    const pid_t child = real().fork();
    const cowscope::KeptErrno kept_errno;
    if (child == 0) {
        after_fork_in_child();
    } else {
        after_fork_in_parent();
    }
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
    if ((flags & CLONE_VM) == 0) come_to_life();
    if ((flags & CLONE_VM) != 0 || function == nullptr || !is_current()) {
        return real().clone(function, stack, flags, argument, parent_tid, tls, child_tid);
    }
    before_fork();
    CloneStart start = {function, argument, (flags & CLONE_FILES) != 0};
    const int child = real().clone(start_cloned, stack, flags, &start, parent_tid, tls, child_tid);
    const cowscope::KeptErrno kept_errno;
    after_fork_in_parent();
    return child;
}

COWSCOPE_INTERPOSED int daemon(int keep_folder, int keep_streams) noexcept {
    using namespace cowscope::process;
    if (is_current()) process.daemon_tid = cowscope::sys::gettid();
    const int result = real().daemon(keep_folder, keep_streams);
    process.daemon_tid = 0;
    return result;
}
