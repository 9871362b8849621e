// Address ranges, and those that belong to the shim and not to the program it watches.
#pragma once

#include <cstdint>

namespace cowscope {

struct AddressRange {
    uint64_t start;
    uint64_t end;

    bool empty() const { return start >= end; }
    bool overlaps(uint64_t other_start, uint64_t other_end) const {
        return other_start < end && other_end > start;
    }
};

struct OwnMemory {
    AddressRange arena;
    AddressRange image;  // libcowscope.so as it is mapped

    bool overlaps(uint64_t start, uint64_t end) const {
        return arena.overlaps(start, end) || image.overlaps(start, end);
    }
};

}  // namespace cowscope
