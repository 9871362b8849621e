// What a recording with a size limit holds besides its segments
// (preload/format/aggregate_format.h).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "preload/format/aggregate_format.h"
#include "trace/process_trace.h"

namespace cowscope::trace {

// A call site, and how often it copied. Without a stack where whoever came there first was killed
// in the midst of writing it.
struct AggregateCallSite {
    uint64_t copies = 0;  // pages
    uint32_t pid = 0;     // who wrote first
    uint32_t tid = 0;
    std::array<uint8_t, kCodeBytes> code{};
    std::vector<uint64_t> ips;  // as in Stack
    std::vector<AggregateFrame> runtime_frames;
};

// Of one program, and the processes that it forked.
struct Later {
    std::string path;
    uint32_t pid = 0;         // of the segment of that program,
    uint64_t created_ns = 0;  // and its time
    AggregateCounts counts{};
    std::vector<AggregateCallSite> sites;
    uint32_t runtime_version = 0;           // PY_VERSION_HEX
    std::map<uint32_t, RuntimeCode> codes;  // by AggregateFrame::code_number
};

struct Bound {
    uint64_t limit_bytes = 0;
    uint64_t used_bytes = 0;
    uint64_t reached_ns = 0;  // CLOCK_MONOTONIC; 0: never
    uint64_t programs_not_recorded = 0;
    AggregateCounts counts{};  // of processes without a table
    std::vector<Later> later;  // sorted by path
};

// Throws cowscope::Error where the file is not one, or a damaged one.
Later read_aggregates(const std::string& path);

// Nothing where the recording had no size limit. What cannot be read becomes a line of `damage`.
std::optional<Bound> read_bound(const std::string& folder, std::vector<std::string>* damage);

// Paths of the tables in a folder, sorted.
std::vector<std::string> find_aggregates(const std::string& folder);

}  // namespace cowscope::trace
