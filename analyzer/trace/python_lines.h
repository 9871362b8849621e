// From an instruction of a Python code object to its source line.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "trace/process_trace.h"

namespace cowscope::trace {

// `version`: PY_VERSION_HEX of the interpreter, which decides on the form of the table. An offset
// below 0 is the function's start. Empty where the instruction has no line, or the table is not
// whole.
std::optional<unsigned> line_of(const PythonCode& code, uint32_t version, int32_t offset);

}  // namespace cowscope::trace
