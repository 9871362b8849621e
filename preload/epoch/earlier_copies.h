// What a forked child has copied before the shim's first call in it: libc's fork() itself
// initialises the locks of malloc's arenas and of open files anew, and the pthread_atfork handlers
// of libraries that were initialised earlier run first. No witness is there yet, and no page is
// protected. What the child has written by then, and its parent has too, was copied.
//
// Async-signal-safe. The lock of the session (session/session.h) is held, where nothing else is
// said.
#pragma once

#include "epoch/epoch.h"

namespace cowscope::epoch {

// In a forked child, before anything else: what was copied in it already, in `earlier`.
void find_earlier_copies();

}  // namespace cowscope::epoch
