// What a few of the written objects hold: short examples for the report.
#pragma once

#include "format/runtime_format.h"
#include "runtime/cpython/objects.h"

namespace cowscope::cpython {

// Async-signal-safe; callers hold the process's lock, and interpreter().layout is not null.
class ValueTable {
  public:
    // Writes a ObjectValueRecord for the first few objects of each site and type.
    void record(Arena& arena, const RecordSink& sink, uint32_t site, uint32_t runtime_stack,
                uint64_t address, const Located& located);

  private:
    static constexpr uint32_t kValuesASite = 8;
    static constexpr size_t kMaxTextBytes = 64;

    size_t read_value(uint64_t object, ValueType kind, trace::ObjectValueRecord* facts);

    InternTable seen_;  // sites with types
    char text_[kMaxTextBytes];
};

}  // namespace cowscope::cpython
