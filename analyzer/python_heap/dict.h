// The entries of a dict of another process.
#pragma once

#include <cstdint>
#include <functional>

#include "python_heap/layout.h"
#include "python_heap/memory.h"

namespace cowscope::python_heap {

struct DictEntry {
    uint64_t key = 0;
    uint64_t value = 0;  // 0 for a key that has none
};

// A block of memory that belongs to an object and is no part of it; 0 bytes: there is none.
struct Block {
    uint64_t start = 0;
    uint64_t bytes = 0;
};

struct DictShape {
    uint64_t entries = 0;      // address of the first
    uint64_t entry_bytes = 0;  // 16 or 24
    uint64_t key_offset = 0;
    uint64_t count = 0;   // used ones, with those that were deleted
    uint64_t values = 0;  // address of the first value where they stand apart (split), or 0
    Block keys;           // the table
};

// Of a dict, or (`keys` != 0) of a table of keys alone. count is 0 where it makes no sense.
DictShape shape_of_dict(const Layout& layout, Memory* memory, uint64_t dict);
DictShape shape_of_keys(const Layout& layout, Memory* memory, uint64_t keys);

// One of `shape.count`; without key and value where it cannot be read.
DictEntry entry_at(const DictShape& shape, Memory* memory, uint64_t index);

// In the order of insertion, as long as `take` returns true and at most `most`.
using TakeEntry = std::function<bool(const DictEntry&)>;
void for_each_entry(const Layout& layout, Memory* memory, uint64_t dict, uint64_t most,
                    const TakeEntry& take);
void for_each_entry(const DictShape& shape, Memory* memory, uint64_t most, const TakeEntry& take);

}  // namespace cowscope::python_heap
