// Reference counts of interpreters whose objects say what they are: the four bytes behind the count
// tell the kind.
#pragma once

#include <cstdint>
#include <optional>

#include "runtime/write.h"
#include "trace/process_trace.h"

namespace cowscope::runtime {

// A count of four bytes as it may be: no object is counted a thousand million times, and one in use
// at least once. Returns what lies behind it.
std::optional<uint32_t> kind_behind_count(const trace::EventRecord& event);

// Whether the instruction steps by one at `offset` of an object that a register points to.
bool counts_at(const Write& write, unsigned width_bytes, uint64_t offset);

}  // namespace cowscope::runtime
