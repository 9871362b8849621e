// While the witness alone looks it judges each fault by the page itself. When it has seen enough of
// them, or something comes that it would not see, the inherited pages are listed (epoch/track.h).
//
// Async-signal-safe. The lock of the session (session/session.h) is held, where nothing else is
// said.
#pragma once

#include "epoch/epoch.h"

namespace cowscope::epoch {

// While witnessing: a page was found to be copied or fresh; something comes that the witness would
// not see. Each may start tracking.
void classify_page(uint64_t page, bool is_fresh);
void stop_classifying();

// The program is about to do what the witness would not see. The lock is not held.
void before_unseen_writes();

// A thread is about to block SIGTRAP. The lock is not held.
void before_blocking_trap();

}  // namespace cowscope::epoch
