// The records of a segment that tell of a CPython interpreter (preload/format/runtime_format.h).
#pragma once

#include "trace/process_trace.h"
#include "trace/segment_reader.h"

namespace cowscope::trace {

// Longer names and paths are cut: each can be told in any number of frames.
inline constexpr size_t kMostNameBytes = 1024;
inline constexpr size_t kMostPathBytes = 4096;

// A code object, of its record's fixed part, flags and what is behind it, which is known to be
// there.
RuntimeCode runtime_code_of(const RuntimeCodeRecord& fixed, uint16_t flags,
                            std::span<const std::byte> behind);

// Adds what one of them says; others are passed over. `sites` have come before it. Returns what is
// wrong with it, where it is not what it claims to be and nothing was added; else nothing.
std::string take_runtime(const RecordView& record, size_t sites, RuntimeData* runtime);

}  // namespace cowscope::trace
