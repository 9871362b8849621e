#include "report/frame_text.h"

#include <fmt/format.h>

#include "base/file_name.h"

namespace cowscope::report {
namespace {

using attribute::Frame;
using attribute::FrameStack;

FrameText text_with(const Frame& frame, std::string_view file) {
    const std::string source = fmt::format("({}:{})", file, frame.line);
    if (frame.is_runtime) return {std::string(frame.function), source};
    const std::string_view module = frame.module.empty() ? "no module" : file_name(frame.module);
    const std::string function = frame.function.empty() && frame.file.empty()
                                     ? fmt::format("{:#x}", frame.address)
                                     : std::string(frame.function);
    return {function, frame.file.empty() ? fmt::format("({})", module) : source};
}

}  // namespace

FrameText text_of(const Frame& frame) {
    return text_with(frame, frame.is_runtime ? frame.file : file_name(frame.file));
}

FrameText short_text_of(const Frame& frame) {
    return text_with(frame, file_name(frame.file));
}

size_t line_count(const FrameStack& stack) {
    return stack.frames.size() + (stack.goes_on ? 1 : 0);
}

FrameText text_of_line(const FrameStack& stack, size_t line) {
    if (line == stack.frames.size()) return {attribute::kStackGoesOn, ""};
    return text_of(*stack.frames[line]);
}

FrameText short_text_of_line(const FrameStack& stack, size_t line) {
    if (line == stack.frames.size()) return {attribute::kStackGoesOn, ""};
    return short_text_of(*stack.frames[line]);
}

}  // namespace cowscope::report
