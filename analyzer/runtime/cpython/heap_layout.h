// Where the objects of one version of CPython lie: what the library reads too, and what only this
// reader does.
#pragma once

#include "preload/format/cpython_layouts.h"
#include "preload/format/cpython_objects.h"

namespace cowscope::cpython {

struct HeapLayout : Layout, HeapOffsets {
    int minor() const { return version & 0xff; }
};

// nullptr for a version that is not known.
const HeapLayout* layout_of(int minor);

inline constexpr uint64_t kObjectBytes = 16;
inline constexpr uint64_t kVarObjectBytes = 24;
inline constexpr uint64_t kWordBytes = 8;
inline constexpr uint64_t kTpReadBytes = kTpMro + kWordBytes;  // all that is read of a type

}  // namespace cowscope::cpython
