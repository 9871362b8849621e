// Language runtimes in the program: modules that hold one come and go. The lock is not held.
#pragma once

namespace cowscope::hooks {

// At the start and before a fork: looks for a runtime, if modules were loaded since it was last
// looked for.
void look_for_runtime();

// Around dlclose(): what it takes away must not be called any more.
void before_unload();
void after_unload();

}  // namespace cowscope::hooks
