// Which CPython object an address belongs to.
#pragma once

#include "runtime/cpython/types.h"

namespace cowscope::cpython {

struct Located {
    uint64_t type = 0;                 // 0: of no object that is known
    int32_t offset = 0;                // of the address, from the object's start
    uint16_t flags = 0;                // trace::kPool*
    const TypeFacts* facts = nullptr;  // of `type`
};

// Looks at `address`, whose page is there and where `words` was read; for `safe_from` see Write
// (runtime/cpython/observer.h). Async-signal-safe; callers hold the process's lock.
Located locate(Arena& arena, const RecordSink& sink, TypeCache* types, uint64_t address,
               const uint64_t (&words)[2], uint64_t safe_from);

// Outside of pools objects lie in blocks of malloc's or in a module's data: the words around the
// address may show which of an object's first words it is, or of the collector's before it.
Located locate_around(Arena& arena, const RecordSink& sink, TypeCache* types, uint64_t address);

}  // namespace cowscope::cpython
