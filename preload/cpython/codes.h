// Code objects, written to the trace once each.
#pragma once

#include "segment/writer.h"
#include "support/arena.h"
#include "witness/intern_table.h"

namespace cowscope::cpython {

// Async-signal-safe; callers hold the process's lock.
class CodeTable {
  public:
    static constexpr uint32_t kNoCode = ~uint32_t{0};

    // The id of the code object at `address`, whose memory is known to be there. kNoCode where it
    // could not be read or the trace is full.
    uint32_t find(Arena& arena, segment::Writer* writer, uint64_t address);

  private:
    // What tells a code object from another that came to its address later.
    struct Known {
        uint64_t name;
        uint64_t line_table;
        uint32_t first_line;
        uint32_t id;
    };
    // The longest path there is, and one of the names around it.
    static constexpr size_t kMaxFileBytes = 4096;
    static constexpr size_t kMaxNameBytes = 512;

    bool write(segment::Writer* writer, uint64_t address, const Known& known);

    witness::InternTable by_address_;  // indices into known_
    ArenaArray<Known> known_;
    uint32_t next_id_ = 0;
    char file_[kMaxFileBytes];
    char name_[kMaxNameBytes];
};

}  // namespace cowscope::cpython
