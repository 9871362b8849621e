// The entries of a dict of another process.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "runtime/cpython/heap_layout.h"
#include "runtime/heap/process_memory.h"

namespace cowscope::cpython {

using runtime::Memory;

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
DictShape shape_of_dict(const HeapLayout& layout, Memory* memory, uint64_t dict);
DictShape shape_of_keys(const HeapLayout& layout, Memory* memory, uint64_t keys);

// One of `shape.count`; without key and value where it cannot be read.
DictEntry entry_at(const DictShape& shape, Memory* memory, uint64_t index);

// Reads entries in the order of insertion, many at a time.
class DictEntries {
  public:
    DictEntries(const DictShape& shape, Memory* memory, uint64_t most);

    // False where there are no more, or no more that can be read.
    bool read_more();
    // Of those that were read; key 0: none.
    uint64_t size() const { return got_; }
    DictEntry operator[](uint64_t i) const {
        const std::byte* entry = entries_.data() + i * shape_.entry_bytes + shape_.key_offset;
        DictEntry result;
        std::memcpy(&result.key, entry, sizeof(result.key));
        std::memcpy(&result.value, entry + kWordBytes, sizeof(result.value));
        if (shape_.values != 0) result.value = values_[i];
        return result;
    }

  private:
    DictShape shape_;
    Memory& memory_;
    uint64_t count_;
    uint64_t next_ = 0;
    uint64_t got_ = 0;
    std::vector<std::byte> entries_;
    std::vector<uint64_t> values_;  // where they stand apart
};

// In the order of insertion, as long as `take` returns true and at most `most`.
template <typename Take>
void for_each_entry(const DictShape& shape, Memory* memory, uint64_t most, const Take& take) {
    for (DictEntries entries(shape, memory, most); entries.read_more();) {
        for (uint64_t i = 0; i < entries.size(); ++i) {
            const DictEntry entry = entries[i];
            if (entry.key != 0 && !take(entry)) return;
        }
    }
}
template <typename Take>
void for_each_entry(const HeapLayout& layout, Memory* memory, uint64_t dict, uint64_t most,
                    const Take& take) {
    for_each_entry(shape_of_dict(layout, memory, dict), memory, most, take);
}

}  // namespace cowscope::cpython
