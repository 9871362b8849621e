// An epoch: from a fork of this process, or its start by one, to its next fork or its end.
//
// Most forked children execute another program after a few writes, and most parents write a few
// pages between two forks. Listing and protecting the pages for those would cost more than the fork
// itself. So at first only the witness looks: it judges each fault by the page itself. When it has
// seen enough of them, or something comes that it would not see, tracking starts (track.cpp).
//
// Async-signal-safe. The lock of the session (session/session.h) is held, where nothing else is
// said.
#pragma once

#include "epoch/epoch.h"

namespace cowscope::epoch {

// Once in each program, before its first fork (hooks/process/fork.h, prepare_for_children()): what
// its children then know without asking.
void prepare();

// This process shares its pages (anew): an epoch begins.
void begin();

// Other threads write as soon as the kernel has shared the pages, which is some time before the
// fork returns. Where there are any, the epoch of the first fork begins before it; those of
// others have a witness already, and what it saw too early the analyzer can tell by the time.
void begin_before_fork();
void go_on_after_fork();

// Whether the trace tells of the epoch. Where its record found no room, it is tried again
// here: what comes behind would be the last one's.
bool tell_epoch();

}  // namespace cowscope::epoch
