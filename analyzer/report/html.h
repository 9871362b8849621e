// A report as one page of HTML that needs nothing else.
#pragma once

#include <string>

#include "attribute/details.h"
#include "attribute/report_model.h"

namespace cowscope::report {

std::string to_html(const attribute::Report& report, const attribute::Details& details);

// Whether a file that starts so is a page of cowscope's.
bool starts_like_html(const std::string& start);

}  // namespace cowscope::report
