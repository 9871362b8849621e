// Why a page was copied: one pure function from what was seen to a cause and its evidence. What is
// of a runtime only that runtime knows (runtime/runtime.h); here is the rest.
#pragma once

#include <optional>

#include "runtime/table.h"
#include "runtime/verdict.h"
#include "runtime/write.h"

namespace cowscope::attribute {

using runtime::Cause;
using runtime::cause_name;
using runtime::Region;
using runtime::Verdict;

// Empty for an instruction that only reads: its fault copied nothing.
std::optional<Verdict> find_cause(const runtime::Write& write,
                                  runtime::Members members = runtime::all_members());

}  // namespace cowscope::attribute
