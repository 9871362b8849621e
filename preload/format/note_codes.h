// Notes besides those that trace_format.h names.
#pragma once

#include "trace_format.h"

namespace cowscope::trace {

// The witness does not watch all threads of the process; value: how many it does not.
inline constexpr NoteCode kThreadsNotWatched{27};

}  // namespace cowscope::trace
