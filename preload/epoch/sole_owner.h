// The end of sharing: once the others have ended, or have copied everything themselves, what this
// process writes copies nothing, though it still faults once a page. A program that takes
// its objects down after its workers have gone writes to all of them: a signal for each would cost
// as much as all copies before, and tell nothing.
//
// Async-signal-safe. The lock of the session (session/session.h) is held, where nothing else is
// said.
#pragma once

#include "epoch/epoch.h"

namespace cowscope::epoch {

// Now and then, after a fault that the witness was told of: where nobody shares the inherited pages
// any more, the epoch is over.
void stop_if_sole_owner();

}  // namespace cowscope::epoch
