// Reads the head of a dict's keys object.
#pragma once

#include "format/cpython_objects.h"

namespace cowscope::cpython {

// The keys object at `keys`; false where it cannot be one. Async-signal-safe; reads are guarded.
bool read_keys(const Layout& layout, uint64_t keys, KeysShape* shape);

}  // namespace cowscope::cpython
