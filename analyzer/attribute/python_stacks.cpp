#include "attribute/python_stacks.h"

#include <algorithm>

namespace cowscope::attribute {

PythonFrame PythonStacks::describe(const trace::PythonFrame& frame) {
    const uint32_t id = frame.code & ~trace::kEnteredFromC;
    const trace::PythonCode& code = python_.codes[id];
    const uint32_t version = python_.interpreter ? python_.interpreter->version : 0;
    if (!lines_[id]) lines_[id].emplace(code, version);
    return {code.name, code.file, lines_[id]->find(frame.instruction_offset).value_or(0)};
}

std::vector<PythonFrame> PythonStacks::frames(uint32_t stack) {
    std::vector<PythonFrame> described;
    described.reserve(depth(stack));
    for (size_t i = 0; i < depth(stack); ++i) {
        described.push_back(describe(python_.stacks[stack].frames[i]));
    }
    return described;
}

PythonFrame PythonStacks::innermost(uint32_t stack) {
    return depth(stack) == 0 ? PythonFrame{} : describe(python_.stacks[stack].frames.front());
}

size_t PythonStacks::depth(uint32_t stack) const {
    return stack >= python_.stacks.size() ? 0 : python_.stacks[stack].frames.size();
}

int32_t PythonStacks::first_line(uint32_t stack, size_t frame) const {
    return python_.codes[python_.stacks[stack].frames[frame].code & ~trace::kEnteredFromC]
        .first_line;
}

size_t PythonStacks::frames_in_one_loop(uint32_t stack, size_t first) const {
    if (stack >= python_.stacks.size()) return 0;
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
    const size_t python_count = stacks->depth(python_stack);
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
