// Limits on what a trace may have copied, for `cowscope check`. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "attribute/report_model.h"

namespace cowscope::compare {

// In bytes.
struct Limits {
    std::optional<uint64_t> copied;       // by all processes together
    std::optional<uint64_t> per_process;  // by each
    // By all together, for one cause.
    std::map<attribute::Cause, uint64_t, runtime::ByName> copied_cause;

    bool any() const { return copied || per_process || !copied_cause.empty(); }
};

struct Finding {
    std::string what;  // "copied by all processes"
    uint64_t limit = 0;
    uint64_t found = 0;

    bool is_over() const { return found > limit; }
};

// One for each limit, and one for each process that is over the limit of each. Throws
// cowscope::Error where the trace cannot tell: nothing was tracked, or the causes are not known.
std::vector<Finding> hold_against(const Limits& limits, const attribute::Report& report);

}  // namespace cowscope::compare
