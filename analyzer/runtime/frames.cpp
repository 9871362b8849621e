#include "runtime/frames.h"

#include <algorithm>

namespace cowscope::runtime {

Frame Stacks::describe(const trace::RuntimeFrame& frame) const {
    const uint32_t id = frame.code & ~trace::kEnteredFromC;
    const trace::RuntimeCode& code = python_.codes[id];
    const auto line = line_of_ ? line_of_(id, frame.instruction_offset) : std::nullopt;
    return {code.name, code.file, line.value_or(0)};
}

std::vector<Frame> Stacks::frames(uint32_t stack) const {
    std::vector<Frame> described;
    described.reserve(depth(stack));
    for (size_t i = 0; i < depth(stack); ++i) {
        described.push_back(describe(python_.stacks[stack].frames[i]));
    }
    return described;
}

Frame Stacks::innermost(uint32_t stack) const {
    return depth(stack) == 0 ? Frame{} : describe(python_.stacks[stack].frames.front());
}

size_t Stacks::depth(uint32_t stack) const {
    return stack >= python_.stacks.size() ? 0 : python_.stacks[stack].frames.size();
}

int32_t Stacks::first_line(uint32_t stack, size_t frame) const {
    return python_.codes[python_.stacks[stack].frames[frame].code & ~trace::kEnteredFromC]
        .first_line;
}

size_t Stacks::frames_in_one_loop(uint32_t stack, size_t first) const {
    if (stack >= python_.stacks.size()) return 0;
    const auto& frames = python_.stacks[stack].frames;
    size_t end = first;
    while (end < frames.size()) {
        if ((frames[end++].code & trace::kEnteredFromC) != 0) break;
    }
    return end - first;
}

std::vector<MixedFrame> mix_frames(const std::vector<NativeFrameKind>& native, const Stacks& stacks,
                                   uint32_t stack) {
    std::vector<MixedFrame> mixed;
    const size_t count = stacks.depth(stack);
    size_t next = 0;
    const auto take_until = [&](size_t end) {
        for (; next < end; ++next) mixed.push_back({false, next});
    };
    const bool has_named_loop = std::any_of(
        native.begin(), native.end(), [](const NativeFrameKind& each) { return each.is_loop; });
    for (size_t i = 0; i < native.size(); ++i) {
        if (native[i].is_loop) {
            take_until(next + stacks.frames_in_one_loop(stack, next));
        } else if (!native[i].is_interpreter) {
            mixed.push_back({true, i});
        } else if (!has_named_loop) {
            // Debian's CPython 3.14 runs frames in many functions without a name.
            take_until(count);
        }
    }
    // The native stack was cut.
    take_until(count);
    return mixed;
}

}  // namespace cowscope::runtime
