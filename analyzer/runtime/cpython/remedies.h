// Remedies against what CPython's writes copied.
#pragma once

#include "runtime/advisor.h"

namespace cowscope::cpython {

void advise(const runtime::AdviceInput& input, runtime::Advisor* advisor);

}  // namespace cowscope::cpython
