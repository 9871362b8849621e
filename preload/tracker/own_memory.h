// The address ranges that belong to the shim and not to the program it watches.
#pragma once

#include <cstdint>

namespace cowscope::tracker {

struct OwnMemory {
    uint64_t arena_start;
    uint64_t arena_end;
    uint64_t image_start;  // libcowscope.so as it is mapped
    uint64_t image_end;

    bool overlaps(uint64_t start, uint64_t end) const {
        return (start < arena_end && end > arena_start) || (start < image_end && end > image_start);
    }
};

}  // namespace cowscope::tracker
