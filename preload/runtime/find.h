// The language runtimes that the shim knows.
#pragma once

#include "runtime/interface.h"

namespace cowscope::runtime {

// Looks for one among the modules of this process. False where there is none. Not async-signal-safe
// (runtime/interface.h).
bool find_in_process(Found* found);

}  // namespace cowscope::runtime
