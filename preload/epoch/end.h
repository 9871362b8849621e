// The end of a process, or of what the shim does in it.
//
// Async-signal-safe. The lock of the session (session/session.h) is held, where nothing else is
// said.
#pragma once

#include "epoch/epoch.h"

namespace cowscope::epoch {

// The process ends, or becomes another program. Safe to call more than once; the last one counts.
void finish(trace::EndKind kind, int value);

// The last census.
void look_last(bool is_exec);

// The shim leaves this process for good.
void close_all();

}  // namespace cowscope::epoch
