#include "runtime/heap/heap.h"

#include <algorithm>

namespace cowscope::runtime {

WalkLimits limits_for(const WalkLimits& least, uint64_t program_cpu_ns, uint64_t resident_bytes) {
    // A look at 60 million strs takes 2 s, and a program 20 s to make them.
    constexpr uint64_t kPartOfTime = 10;
    // The map has 88 bytes for a page of objects, and 512 more where owners are mixed.
    constexpr uint64_t kPartOfMemory = 24;
    WalkLimits limits = least;
    limits.cpu_ns = std::max(least.cpu_ns, program_cpu_ns / kPartOfTime);
    limits.edges = static_cast<uint64_t>(static_cast<double>(least.edges) *
                                         static_cast<double>(limits.cpu_ns) /
                                         static_cast<double>(least.cpu_ns));
    limits.map_bytes = std::max(least.map_bytes, resident_bytes / kPartOfMemory);
    return limits;
}

}  // namespace cowscope::runtime
