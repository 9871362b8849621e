// A comparison of two traces in the forms that people and scripts read.
#pragma once

#include <string>

#include "compare/diff.h"
#include "report/json_value.h"
#include "report/report.h"

namespace cowscope::report {

// What was gained and why, in words. Names in it are as the watched program has them.
struct DiffSummary {
    std::string total;   // "Copied after fork: 498.0 MiB -> 8.1 MiB, 98.4 % less."
    std::string most;    // "Gained most: refcount of str, 483.7 MiB less", or ""
    std::string owner;   // the one that gained (or lost) most, or ""
    std::string reason;  // "Why: equal values are one object now, ...", or ""
};
DiffSummary summarize(const compare::Diff& diff);

// The first lines say what was gained and why. Ends with a newline. Of the options, `top`, `color`
// and `width` count.
std::string to_text(const compare::Diff& diff, const TextOptions& options);

// Schema cowscope.diff/1, always whole.
Json to_json_value(const compare::Diff& diff);
std::string to_json(const compare::Diff& diff);

}  // namespace cowscope::report
