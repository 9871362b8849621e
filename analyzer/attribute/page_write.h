// An event as what it may have copied: one write to one page.
#pragma once

#include <cstdint>

namespace cowscope::attribute {

inline constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

struct PageWrite {
    // Of `copy_class` where the write is found to be no copy.
    static constexpr uint32_t kNotACopy = ~uint32_t{0};

    uint64_t page;
    uint64_t time_ns;
    uint32_t epoch;       // an index
    uint32_t copy_class;  // an index into Copies::classes
    uint32_t weight;      // faults that the event stands for
    bool is_moved;  // the kernel's or libc's doing, unseen: nobody knows where it was inherited
};

}  // namespace cowscope::attribute
