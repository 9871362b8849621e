// Forks: pthread_atfork sees fork(), daemon() and forkpty(); _Fork() and clone() are interposed.
// vfork() and posix_spawn() share the address space until exec, so there is nothing to track.

#include "hooks/process/fork.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <unistd.h>

#include "epoch/aggregate.h"
#include "epoch/begin.h"
#include "epoch/classify.h"
#include "epoch/end.h"
#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "hooks/process/start.h"
#include "hooks/rights/seccomp.h"
#include "hooks/signals/handled_signals.h"
#include "session/session.h"
#include "support/faults.h"
#include "support/kept_errno.h"
#include "witness/handler.h"
#include "witness/host_signals.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

// A thread is in daemon(3), which ends this process behind the fork without coming by here.
constinit pid_t daemon_tid = 0;

}  // namespace

void prepare_for_children() {
    // Before the first fork, never while one may be under way: a child gets its actions and its
    // memory one after the other (kernel/fork.c, copy_process()), and one that has got the old
    // actions with the new memory believes that its signals are handled.
    if (session::options.witness != session::WitnessChoice::off)
        witness::handle_trap(witness::on_trap);
    handle_default_ends();
    if (is_killed_by_filter()) {
        session::write_note(trace::NoteCode::sandboxed, 0);
        epoch::close_all();
        return;
    }
    epoch::prepare();
}

void before_fork() {
    come_to_life();
    if (!session::is_current()) return;
    // Also waits for another thread that is preparing.
    const session::Locked locked;
    if (epoch::sharing.epoch == nullptr) prepare_for_children();
    epoch::sharing.look.open_for_children();
    epoch::begin_before_fork();
    ++epoch::sharing.forks_under_way;
    session::self.fork_began_ns = sys::monotonic_ns();
}

// No lock is held across a fork: glibc takes malloc's locks between the handlers before the fork
// and the fork itself, and a thread that holds one of those may be in the witness's handler,
// waiting for ours. The child starts anew instead, with nothing of the parent's state but its
// options.

void after_fork_in_parent() {
    if (!session::is_current()) return;
    if (daemon_tid == sys::gettid()) {
        // If the fork has failed, the process goes on and says more.
        epoch::finish(trace::EndKind::exit, 0);
        return;
    }
    const session::Locked locked;
    --epoch::sharing.forks_under_way;
    // Who does not record any more shares its pages with children that nothing else tells of.
    if (session::budget.is_reached()) epoch::go_on_counting();
    const bool has_begun = epoch::sharing.epoch != nullptr && epoch::sharing.epoch->is_before_fork;
    if (!has_begun) ++epoch::sharing.forks;
    if (auto* record = session::self.writer.begin<trace::ForkRecord>(trace::RecordType::fork)) {
        record->time_ns = session::self.fork_began_ns;
        record->ordinal = epoch::sharing.forks;
        record->padding = 0;
        session::self.writer.commit();
    }
    if (has_begun) {
        epoch::go_on_after_fork();
    } else {
        epoch::begin();
    }
    if (locked.is_trap_blocked()) epoch::stop_classifying();
    if (session::self.writer.has_reached_limit()) epoch::go_on_counting();
}

namespace {

void enter_child(bool shares_descriptors) {
    if (session::self.pid == 0) return;
    const pid_t parent = session::self.pid;
    // Before the shim's own.
    epoch::sharing.faults_at_entry = all_faults();
    session::self.lock.free_in_child();
    // Nothing in the arena was inherited, and the descriptors act on the parent. Where they are the
    // parent's very own, they stay open.
    if (shares_descriptors) {
        epoch::sharing.trap = {};
        epoch::sharing.tracker.forget();
    } else {
        epoch::sharing.trap.close();
        epoch::sharing.tracker.close();
    }
    session::Writer parents = session::self.writer;
    session::self.writer = {};
    epoch::sharing.look.become_child(shares_descriptors);
    const session::Locked locked;
    session::self.pid = sys::getpid();
    session::self.has_robust_list = sys::robust_list() != nullptr;
    session::self.shares_descriptors = shares_descriptors;
    epoch::sharing.forks = 0;
    epoch::sharing.forks_under_way = 0;
    if (daemon_tid != 0) daemon_tid = 0;
    epoch::sharing.onlooker_told = false;
    epoch::sharing.epoch = nullptr;
    const int result = session::self.is_counting
                           ? -EDQUOT
                           : session::open_segment(trace::Role::fork, parent, sys::monotonic_ns());
    if (result != 0 && result != -EDQUOT) parents.tell_child_failed(-result);
    if (!shares_descriptors) parents.close();
    if (result == 0) {
        epoch::begin();
        if (locked.is_trap_blocked()) epoch::stop_classifying();
        if (session::self.writer.has_reached_limit()) epoch::go_on_counting();
    } else if (epoch::begin_counting()) {
        epoch::begin();
        if (epoch::sharing.epoch == nullptr || !epoch::sharing.epoch->state.is_watching()) {
            epoch::count_unwitnessed_process();
        }
    } else {
        session::self.pid = 0;
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
    epoch::finish(trace::EndKind::exit, status & 0xff);
    return status;
}

}  // namespace

void after_fork_in_child() {
    enter_child(false);
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_INTERPOSED pid_t _Fork() noexcept {
    // It calls the handlers.
    if (!real::_Fork.is_there()) return fork();
    before_fork();
    const pid_t child = real::_Fork();
    const KeptErrno kept_errno;
    if (child == 0) {
        after_fork_in_child();
    } else {
        after_fork_in_parent();
    }
    return child;
}

COWSCOPE_INTERPOSED int clone(int (*function)(void*), void* stack, int flags, void* argument,
                              ...) noexcept {
    va_list more;
    va_start(more, argument);
    auto* parent_tid = va_arg(more, pid_t*);
    auto* tls = va_arg(more, void*);
    auto* child_tid = va_arg(more, pid_t*);
    va_end(more);
    if ((flags & CLONE_VM) == 0) come_to_life();
    if ((flags & CLONE_VM) != 0 || function == nullptr || !session::is_current()) {
        return real::clone(function, stack, flags, argument, parent_tid, tls, child_tid);
    }
    before_fork();
    CloneStart start = {function, argument, (flags & CLONE_FILES) != 0};
    const int child = real::clone(start_cloned, stack, flags, &start, parent_tid, tls, child_tid);
    const KeptErrno kept_errno;
    after_fork_in_parent();
    return child;
}

COWSCOPE_INTERPOSED int daemon(int keep_folder, int keep_streams) noexcept {
    if (session::is_current()) daemon_tid = sys::gettid();
    const int result = real::daemon(keep_folder, keep_streams);
    daemon_tid = 0;
    return result;
}
