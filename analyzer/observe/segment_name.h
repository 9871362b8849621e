// The name of a segment file, process-PID-START.cowseg.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "trace/mappings.h"

namespace cowscope::observe {

struct SegmentName {
    pid_t pid = 0;
    uint64_t created_ns = 0;
};

// Of a path, too. Nothing for any other name.
std::optional<SegmentName> parse_segment_name(std::string_view text);

// Whether the process that has these mappings writes the segment of that name: it is the one that
// the segment is about, whatever its id.
bool maps_file(const trace::Mappings& mappings, std::string_view name);

}  // namespace cowscope::observe
