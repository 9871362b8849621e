// Remedies against what a report measured: those of the runtimes that were seen, and those that
// help any program.
#pragma once

#include <vector>

#include "runtime/advisor.h"
#include "runtime/table.h"

namespace cowscope::attribute {

using runtime::Advice;
using runtime::AdviceInput;
using runtime::OwnerPages;

// The most pages first.
std::vector<Advice> find_advice(const AdviceInput& input,
                                runtime::Members members = runtime::all_members());

}  // namespace cowscope::attribute
