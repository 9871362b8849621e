// Which CPython object an address belongs to.
#pragma once

#include "cpython/types.h"

namespace cowscope::cpython {

struct Located {
    uint64_t type = 0;                 // 0: of no object that is known
    int32_t offset = 0;                // of the address, from the object's start
    uint16_t flags = 0;                // trace::kPool*
    const TypeFacts* facts = nullptr;  // of `type`
};

// Looks at `address`, whose page is there and where `words` was read. Async-signal-safe; callers
// hold the process's lock.
Located locate(Arena& arena, segment::Writer* writer, TypeCache* types, uint64_t address,
               const uint64_t (&words)[2]);

}  // namespace cowscope::cpython
