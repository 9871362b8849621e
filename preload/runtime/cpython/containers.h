// Which list, dict or set a block of memory belongs to that is no object itself: its items, keys or
// table. The code that writes there has the container in a register.
#pragma once

#include "runtime/cpython/keys.h"
#include "runtime/cpython/objects.h"

namespace cowscope::cpython {

// The type of the container; 0 where no register points to one that owns `address`. Async-signal-
// safe; callers hold the process's lock, and interpreter().layout is not null.
uint64_t find_container(Arena& arena, const RecordSink& sink, TypeCache* types, uint64_t address,
                        const uint64_t (&registers)[trace::kRegisterCount]);

}  // namespace cowscope::cpython
