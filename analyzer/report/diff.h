// A comparison of two traces in the forms that people and scripts read.
#pragma once

#include <string>

#include "compare/diff.h"
#include "report/report.h"

namespace cowscope::report {

// The first lines say what was gained and why. Ends with a newline. Of the options, `top`, `color`
// and `width` count.
std::string to_text(const compare::Diff& diff, const TextOptions& options);

// Schema cowscope.diff/1, always whole.
std::string to_json(const compare::Diff& diff);

}  // namespace cowscope::report
