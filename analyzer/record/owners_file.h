// Writes what trace/owners.h describes.
#pragma once

#include <string>

#include "python_heap/walk.h"
#include "record/share_of_bound.h"

namespace cowscope::record {

struct OwnersLook {
    uint32_t pid = 0;
    uint64_t created_ns = 0;  // of the process's segment
    uint64_t start_ns = 0;
    uint64_t end_ns = 0;
    int python_minor = 0;
};

// The content of the file.
std::string pack_owners(const OwnersLook& look, const python_heap::WalkResult& walk);

// Returns 0 or an errno.
int write_owners(const std::string& path, const OwnersLook& look,
                 const python_heap::WalkResult& walk, ShareOfBound* share = nullptr);

}  // namespace cowscope::record
