#include "attribute/python_stacks.h"

#include <algorithm>

#include "trace/python_lines.h"

namespace cowscope::attribute {

PythonFrame PythonStacks::describe(const trace::PythonFrame& frame) const {
    const trace::PythonCode& code = python_.codes[frame.code & ~trace::kEnteredFromC];
    const uint32_t version = python_.interpreter ? python_.interpreter->version : 0;
    return {code.name, code.file,
            trace::line_of(code, version, frame.instruction_offset).value_or(0)};
}

const std::vector<PythonFrame>& PythonStacks::frames(uint32_t stack) {
    static const std::vector<PythonFrame> kNone;
    if (stack >= stacks_.size()) return kNone;
    auto& described = stacks_[stack];
    if (!described) {
        described.emplace();
        for (const trace::PythonFrame& frame : python_.stacks[stack].frames) {
            described->push_back(describe(frame));
        }
    }
    return *described;
}

int32_t PythonStacks::first_line(uint32_t stack, size_t frame) const {
    return python_.codes[python_.stacks[stack].frames[frame].code & ~trace::kEnteredFromC]
        .first_line;
}

size_t PythonStacks::frames_in_one_loop(uint32_t stack, size_t first) const {
    if (stack >= stacks_.size()) return 0;
    const auto& frames = python_.stacks[stack].frames;
    size_t end = first;
    while (end < frames.size()) {
        if ((frames[end++].code & trace::kEnteredFromC) != 0) break;
    }
    return end - first;
}

std::vector<MixedFrame> mix_frames(const std::vector<NativeFrameKind>& native, PythonStacks* stacks,
                                   uint32_t python_stack) {
    std::vector<MixedFrame> mixed;
    const size_t python_count = stacks->frames(python_stack).size();
    size_t next = 0;
    const auto take_until = [&](size_t end) {
        for (; next < end; ++next) mixed.push_back({true, next});
    };
    const bool has_named_loop = std::any_of(
        native.begin(), native.end(), [](const NativeFrameKind& each) { return each.is_loop; });
    for (size_t i = 0; i < native.size(); ++i) {
        if (native[i].is_loop) {
            take_until(next + stacks->frames_in_one_loop(python_stack, next));
        } else if (!native[i].is_interpreter) {
            mixed.push_back({false, i});
        } else if (!has_named_loop) {
            // Debian's 3.14 runs Python frames in many functions without a name.
            take_until(python_count);
        }
    }
    // The native stack was cut.
    take_until(python_count);
    return mixed;
}

}  // namespace cowscope::attribute
