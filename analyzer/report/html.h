// A report, or two compared, as one page of HTML that needs nothing else.
#pragma once

#include <string>

#include "report/page_data.h"

namespace cowscope::report {

std::string to_html(const PageRun& run);
// What changed from one run to the other.
std::string to_html(const PageRun& before, const PageRun& after);

// Whether a file that starts so is a page of cowscope's.
bool starts_like_html(const std::string& start);

}  // namespace cowscope::report
