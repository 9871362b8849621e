// A runtime's stacks in one process for people, alone and together with the native frames around
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "trace/process_trace.h"

namespace cowscope::runtime {

struct Frame {
    std::string function;
    std::string file;
    unsigned line = 0;  // 0: not known
};

class Stacks {
  public:
    // The line of an instruction of a code object (an index).
    using LineOf = std::function<std::optional<unsigned>(uint32_t code, int32_t offset)>;
    // The trace must outlive this object. Without `line_of` no frame has a line.
    explicit Stacks(const trace::ProcessTrace& process, LineOf line_of = {})
        : python_(process.runtime), line_of_(std::move(line_of)) {}

    // Innermost first; empty for trace::kNoRuntimeStack. Their names are not kept: any number of
    // stacks can tell the same ones.
    std::vector<Frame> frames(uint32_t stack) const;
    // The innermost, or an empty one.
    Frame innermost(uint32_t stack) const;
    size_t depth(uint32_t stack) const;

    // Of the function of one of them.
    int32_t first_line(uint32_t stack, size_t frame) const;

    // How many frames of the stack, from `first` on, are one native frame of the interpreter's
    // loop.
    size_t frames_in_one_loop(uint32_t stack, size_t first) const;

  private:
    Frame describe(const trace::RuntimeFrame& frame) const;

    const trace::RuntimeData& python_;
    LineOf line_of_;
};

struct MixedFrame {
    bool is_native = true;
    size_t index = 0;  // into the native frames or the runtime's
};
struct NativeFrameKind {
    bool is_interpreter = false;  // the interpreter's own code
    bool is_loop = false;         // of that, the loop that runs the language's functions
};
// A native stack, innermost first, with the frames of the interpreter replaced by the runtime's
// frames that they ran.
std::vector<MixedFrame> mix_frames(const std::vector<NativeFrameKind>& native, const Stacks& stacks,
                                   uint32_t stack);

}  // namespace cowscope::runtime
