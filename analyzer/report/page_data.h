// What the page of `cowscope html` shows, as compact JSON (schema cowscope.page/1, which only the
// page of the same version reads: page/src/data.ts).
#pragma once

#include <string>
#include <vector>

#include "attribute/details.h"
#include "attribute/report_model.h"

namespace cowscope::report {

struct PageRun {
    const attribute::Report* report;
    const attribute::Details* details;
};

// One run makes a page about it; two are to be compared.
std::string page_data(const std::vector<PageRun>& runs);

}  // namespace cowscope::report
