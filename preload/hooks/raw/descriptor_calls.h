// System calls that a program makes by libc's syscall(): to them, too, the shim's descriptors are
// not open, and no path leads to one.
#pragma once

#include "hooks/raw/signal_calls.h"

namespace cowscope::hooks {

// Puts what is not open in the place of what is the shim's.
void hide_from_call(RawCall* call);
// Whether the call was made here; `result` is the kernel's, -errno on failure. The lock is not
// held.
bool answer_asking_call(const RawCall& call, long* result);

}  // namespace cowscope::hooks
