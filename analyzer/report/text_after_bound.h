// The text report's section of what was only counted (--max-trace).
#pragma once

#include "report/text_page.h"

namespace cowscope::report {

// Nothing where the bound was not reached. When that was, and by how many, the notes say.
void after_bound_section(const attribute::Report& report, const TextOptions& options,
                         TextPage* page);

}  // namespace cowscope::report
