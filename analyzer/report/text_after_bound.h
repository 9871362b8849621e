// What the text report says of copies that were only counted (--max-trace).
#pragma once

#include "report/text_page.h"

namespace cowscope::report {

// Both say nothing where none was. When the bound was reached, and by how many processes, the notes
// say.
void after_bound_line(const attribute::Report& report, TextPage* page);
void after_bound_section(const attribute::Report& report, const TextOptions& options,
                         TextPage* page);

}  // namespace cowscope::report
