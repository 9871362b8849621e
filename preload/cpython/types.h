// CPython type objects, found through the word that stands where an object keeps its ob_type.
//
// Offsets are the same from CPython 3.6 to 3.14 without free threading (Include/object.h,
// Include/cpython/object.h): PyObject.ob_type at 8, PyTypeObject.tp_name at 24.
#pragma once

#include "segment/writer.h"
#include "support/arena.h"
#include "witness/intern_table.h"

namespace cowscope::cpython {

// Looks for an interpreter among the loaded modules. Not async-signal-safe.
void find_interpreter();

// Whether one was found.
bool has_interpreter();

// Writes a TypeRecord for every type object it is shown for the first time.
// Async-signal-safe; callers hold the process's lock. Memory behind a wrong guess is only read
// through guarded reads.
class TypeCache {
  public:
    // `candidate`: a word that may be the address of a type object.
    void record(Arena& arena, segment::Writer* writer, uint64_t candidate);

  private:
    // Words that turned out to be no types, most recent first served.
    static constexpr size_t kRejected = 256;

    witness::InternTable known_;
    uint64_t rejected_[kRejected] = {};
};

}  // namespace cowscope::cpython
