// A dict's keys object (dict-common.h up to 3.10, pycore_dict.h).
#pragma once

#include "runtime/cpython/layouts.h"

namespace cowscope::cpython {

struct KeyTable {
    uint64_t entries;   // address of the first
    uint64_t count;     // used ones, with those that were deleted
    uint64_t capacity;  // as many as there is room for
    uint64_t entry_bytes;
    uint64_t key;  // offsets in an entry
    uint64_t value;
};

// False where `keys` cannot be one. Async-signal-safe; reads are guarded.
bool read_keys(const Layout& layout, uint64_t keys, KeyTable* table);

}  // namespace cowscope::cpython
