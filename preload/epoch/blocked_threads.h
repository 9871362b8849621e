// Threads that block SIGTRAP for good: nobody is told of what they write. Where
// there is one the inherited pages are tracked from the start, so that the
// census has its copies, and the faults that the events have counted say how
// many of them were lost.
//
// Async-signal-safe. The lock of the session (session/session.h) is held, where nothing else is
// said.
#pragma once

#include "epoch/epoch.h"

namespace cowscope::epoch {

// An epoch begins: whether another thread blocks SIGTRAP, whose writes nobody is told of.
bool has_blocked_thread();

// From here on faults are counted that nobody is told of.
void start_counting_unseen();

// Of this epoch, what was counted is lost; at most so many copies are not accounted for.
void count_unseen(uint64_t most);

}  // namespace cowscope::epoch
