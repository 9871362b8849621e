// How the copies of a process grew over time: from what the recorder counted from outside and what
// the witness saw.
#pragma once

#include <cstdint>
#include <vector>

#include "attribute/copies.h"
#include "attribute/report_model.h"
#include "trace/process_trace.h"

namespace cowscope::attribute {

// No process has more points.
inline constexpr size_t kMaxTimelinePoints = 256;

// In the order of time; counts never fall, and the last one is copies.copied_pages. Times count
// from trace_start_ns. Empty for a process that copied nothing and was never scanned.
std::vector<TimelinePoint> timeline_of(const trace::ProcessTrace& process, const Copies& copies,
                                       uint64_t trace_start_ns);

}  // namespace cowscope::attribute
