// Which of the pages that are there a fork has shared.
//
// Async-signal-safe. The lock of the session (session/session.h) is held, where nothing else is
// said.
#pragma once

#include "epoch/epoch.h"

namespace cowscope::epoch {

// Takes what is not shared out of `inherited`, which holds all pages that were found present.
void leave_out_unshared();

}  // namespace cowscope::epoch
