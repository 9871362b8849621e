// From an instruction of a Python code object to its source line.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "trace/process_trace.h"

namespace cowscope::cpython {

// A code object's lines, taken apart once: a table has up to 64 KiB, and any number of frames.
class LineTable {
  public:
    LineTable(const trace::RuntimeCode& code, uint32_t version);
    // As line_of().
    std::optional<unsigned> find(int32_t offset) const;

  private:
    struct Range {
        int32_t end;  // behind its last offset; it begins where the one before it ends
        std::optional<unsigned> line;
    };
    std::optional<unsigned> first_line_;
    std::vector<Range> ranges_;
};

// `version`: PY_VERSION_HEX of the interpreter, which decides on the form of the table. An offset
// below 0 is the function's start. Empty where the instruction has no line, or the table is not
// whole.
std::optional<unsigned> line_of(const trace::RuntimeCode& code, uint32_t version, int32_t offset);

}  // namespace cowscope::cpython
