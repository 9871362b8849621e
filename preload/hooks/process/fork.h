// Around every fork that the shim sees.
//
// before_fork() runs in the thread that forks, without a lock; the others in the parent's thread
// and in the child's only one. Async-signal-safe, but for the first of a program.
#pragma once

namespace cowscope::hooks {

// Once in each program, before its first fork: what its children then know without asking. The lock
// is held. Where a filter does not allow what the shim needs it leaves the process.
void prepare_for_children();

void before_fork();
void after_fork_in_parent();
void after_fork_in_child();

}  // namespace cowscope::hooks
