// What the page of `cowscope html` shows, as compact JSON (schema cowscope.page/1, which only the
// page of the same version reads: page/src/data.ts).
#pragma once

#include <string>

#include "attribute/details.h"
#include "attribute/report_model.h"
#include "compare/diff.h"

namespace cowscope::report {

struct PageRun {
    const attribute::Report* report;
    const attribute::Details* details;
};

std::string page_data(const PageRun& run);

// Of two runs that are compared. Nothing is said of single pages.
std::string page_data(const PageRun& before, const PageRun& after, const compare::Diff& diff);

}  // namespace cowscope::report
