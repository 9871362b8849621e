// What is to be done before a program becomes another one, and undone where that fails.
#pragma once

#include "epoch/end.h"
#include "epoch/epoch.h"
#include "hooks/signals/handled_signals.h"

namespace cowscope::hooks {

// Around a call that executes another program, and comes back only where it fails.
class BecomingAnotherProgram {
  public:
    BecomingAnotherProgram() {}
    BecomingAnotherProgram(const BecomingAnotherProgram&) = delete;
    BecomingAnotherProgram& operator=(const BecomingAnotherProgram&) = delete;

  private:
    struct LastLook {
        LastLook() { epoch::finish(trace::EndKind::exec, 0); }
    };

    const LastLook last_look_;
    const NoTrapIsPending none_pending_;
    const IgnoredTrapIsKept ignored_is_kept_;
};

}  // namespace cowscope::hooks
