// The characters of a str object as UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/cpython_layouts.h"

namespace cowscope::cpython {

struct StrText {
    size_t bytes = 0;     // written
    uint64_t length = 0;  // characters of the whole
    bool truncated = false;
};

// Writes at most `capacity` bytes to `out`. False where the object is no str that can be read.
// Async-signal-safe; all reads are guarded.
bool read_str(const Layout& layout, uint64_t object, char* out, size_t capacity, StrText* text);

}  // namespace cowscope::cpython
