// Code objects, written to the trace once each.
#pragma once

#include "runtime/cpython/code_reader.h"
#include "support/arena.h"
#include "support/intern_table.h"
#include "support/record_sink.h"

namespace cowscope::cpython {

// Async-signal-safe; callers hold the process's lock.
class CodeTable {
  public:
    static constexpr uint32_t kNoCode = ~uint32_t{0};

    // The id of the code object at `address`, whose memory is known to be there. kNoCode where it
    // could not be read or the trace is full.
    uint32_t find(Arena& arena, const RecordSink& sink, uint64_t address);

    // For whoever writes code objects down elsewhere.
    CodeReader* reader() { return &reader_; }
    const CodeReader* reader() const { return &reader_; }

  private:
    struct Known {
        CodeIdentity identity;
        uint32_t id;
    };

    trace::RuntimeCodeRecord* begin(const RecordSink& sink, uint64_t address);

    InternTable by_address_;  // indices into known_
    ArenaArray<Known> known_;
    uint32_t next_id_ = 0;
    CodeReader reader_;
};

}  // namespace cowscope::cpython
