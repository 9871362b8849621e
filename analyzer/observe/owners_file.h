// Writes what trace/heap_owners.h describes.
#pragma once

#include <cstddef>
#include <string>

#include "observe/share_of_bound.h"
#include "runtime/heap/heap.h"
#include "trace/heap_owners.h"

namespace cowscope::observe {

struct OwnersLook {
    uint32_t pid = 0;
    uint64_t created_ns = 0;  // of the process's segment
    uint64_t start_ns = 0;
    uint64_t end_ns = 0;
    int python_minor = 0;
};

// The content of the file, with as many ranges as readers take; where there are more, the look is
// said to have ended for want of memory.
std::string pack_owners(const OwnersLook& look, const runtime::WalkResult& walk,
                        size_t most_ranges = trace::kMostRanges);

// Returns 0 or an errno.
int write_owners(const std::string& path, const OwnersLook& look, const runtime::WalkResult& walk,
                 ShareOfBound* share = nullptr);

}  // namespace cowscope::observe
