// What CPython's writes are: rules of runtime::Runtime.
#pragma once

#include <optional>

#include "runtime/verdict.h"
#include "runtime/write.h"

namespace cowscope::cpython {

std::optional<runtime::Verdict> find_count(const runtime::Write& write);
std::optional<runtime::Verdict> find_in_memory(const runtime::Write& write);
std::optional<runtime::Verdict> find_in_data(const runtime::Write& write);

}  // namespace cowscope::cpython
