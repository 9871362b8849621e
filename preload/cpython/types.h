// CPython type objects, found through the word that stands where an object keeps its ob_type.
//
// Offsets are the same from CPython 3.6 to 3.14 without free threading (layouts.h).
#pragma once

#include "segment/writer.h"
#include "support/arena.h"
#include "witness/intern_table.h"

namespace cowscope::cpython {

enum class ValueType : uint8_t { none, str, bytes, integer };

// With the layout of these in all their subclasses.
enum class ContainerType : uint8_t { none, list, dict, set };

struct TypeFacts {
    bool has_gc = false;  // its objects have a header of the collector's before them
    ValueType value = ValueType::none;
    ContainerType container = ContainerType::none;
};

// Writes a TypeRecord for every type object it is shown for the first time.
// Async-signal-safe; callers hold the process's lock. Memory behind a wrong guess is only read
// through guarded reads.
class TypeCache {
  public:
    // `candidate`: a word that may be the address of a type object. nullptr where it is none.
    const TypeFacts* find(Arena& arena, segment::Writer* writer, uint64_t candidate);

  private:
    // Words that turned out to be no types, most recent first served.
    static constexpr size_t kRejected = 1024;

    witness::InternTable known_;  // indices into facts_
    ArenaArray<TypeFacts> facts_;
    uint64_t rejected_[kRejected] = {};
};

}  // namespace cowscope::cpython
