// Python stacks of one process for people, alone and together with the native frames around them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "attribute/report_model.h"
#include "trace/process_trace.h"
#include "trace/python_lines.h"

namespace cowscope::attribute {

class PythonStacks {
  public:
    // Must outlive this object.
    explicit PythonStacks(const trace::ProcessTrace& process)
        : python_(process.python), lines_(process.python.codes.size()) {}

    // Innermost first; empty for trace::kNoPythonStack. Their names are not kept: any number of
    // stacks can tell the same ones.
    std::vector<PythonFrame> frames(uint32_t stack);
    // The innermost, or an empty one.
    PythonFrame innermost(uint32_t stack);
    size_t depth(uint32_t stack) const;

    // Of the function of one of them.
    int32_t first_line(uint32_t stack, size_t frame) const;

    // How many frames of the stack, from `first` on, are one native frame of the interpreter's
    // loop.
    size_t frames_in_one_loop(uint32_t stack, size_t first) const;

  private:
    PythonFrame describe(const trace::PythonFrame& frame);

    const trace::Python& python_;
    std::vector<std::optional<trace::LineTable>> lines_;  // by code
};

struct MixedFrame {
    bool is_python = false;
    size_t index = 0;  // into the native frames or the Python frames
};
struct NativeFrameKind {
    bool is_interpreter = false;  // the interpreter's own code
    bool is_loop = false;         // of that, the loop that runs Python frames
};
// A native stack, innermost first, with the frames of the interpreter replaced by the Python frames
// that they ran.
std::vector<MixedFrame> mix_frames(const std::vector<NativeFrameKind>& native, PythonStacks* stacks,
                                   uint32_t python_stack);

}  // namespace cowscope::attribute
