// Frames of stacks as people and scripts read them: "function (file:line)".
#pragma once

#include <string>

#include "attribute/frame.h"

namespace cowscope::report {

// As the program and its files have them, not yet printable.
struct FrameText {
    std::string function;  // or the address of an instruction
    std::string place;     // "(string_map.py:34)", "(libc.so.6)"; "" where it is no frame's text

    std::string whole() const { return place.empty() ? function : function + " " + place; }
};

// Of a runtime's frame the whole path of its file; of a native one its name.
FrameText text_of(const attribute::Frame& frame);
// The same with the name of the file alone.
FrameText short_text_of(const attribute::Frame& frame);

// A stack as lines, with one for what lies beyond its outermost frame.
size_t line_count(const attribute::FrameStack& stack);
FrameText text_of_line(const attribute::FrameStack& stack, size_t line);
FrameText short_text_of_line(const attribute::FrameStack& stack, size_t line);

}  // namespace cowscope::report
