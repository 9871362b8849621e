// How reports name a process.
#pragma once

#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "trace/trace.h"

namespace cowscope::attribute {

inline std::string role_name(const trace::Trace& trace, size_t index) {
    if (trace.processes[index].process.role == trace::Role::fork) return "fork";
    return index == 0 ? "root" : "exec";
}

inline std::string joined(const std::vector<std::string>& words) {
    return fmt::format("{}", fmt::join(words, " "));
}

}  // namespace cowscope::attribute
