// Frames of stacks, and where code stands in its source, as values: whoever shows them makes text
// of them.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace cowscope::attribute {

// The mapping that holds an instruction; `start` and `end` are 0 where there is none.
struct CodeMapping {
    uint64_t start = 0;
    uint64_t end = 0;
    uint64_t file_offset = 0;
    std::string_view path;

    bool is_there() const { return end != 0; }
    auto operator<=>(const CodeMapping&) const = default;
};

// Of a language runtime's code or native. Names are as the program and its files have them: no
// output may show them but through base/printable.h.
struct Frame {
    bool is_runtime = false;
    std::string_view function;  // "" where there is no symbol
    std::string_view file;      // "" where it is not known
    unsigned line = 0;          // 0: not known
    int32_t first_line = 0;     // of a runtime's function

    // Of native code.
    bool is_inlined = false;  // its code lies in that of the next frame
    bool is_caller = false;
    std::string_view symbol;  // not demangled, or ""
    std::string_view module;  // path of the file, or ""
    CodeMapping mapping;
    uint64_t address = 0;  // of the instruction; for a caller, behind its call

    bool operator==(const Frame&) const = default;
};

// How an output says that a stack goes on beyond its outermost frame.
inline constexpr char kStackGoesOn[] = "(the stack goes on)";

struct FrameStack {
    std::vector<const Frame*> frames;  // innermost first
    bool goes_on = false;              // beyond its outermost frame

    bool empty() const { return frames.empty(); }
    // Nothing but the innermost frame, and the innermost of a runtime's.
    void cut();
};

// What a frame takes as text, about.
size_t text_bytes(const Frame& frame);

// The innermost of a runtime's frames; nullptr where there is none.
const Frame* innermost_runtime_frame(const FrameStack& stack);

// A line of a runtime's function; its function is "" where there is none.
struct SourceLine {
    std::string_view function;
    std::string_view file;
    unsigned line = 0;

    auto operator<=>(const SourceLine&) const = default;
};

// The native code that wrote.
struct WritingCode {
    std::string_view module;    // name of the file
    std::string_view function;  // out-of-line, or the symbol; "" where it is not known
    std::string_view inlined;   // the inlined function that says best what the code does, or ""
    std::string_view file;      // of the source, or ""
    unsigned line = 0;
    std::string_view instruction;  // as text; "" where it was not decoded

    auto operator<=>(const WritingCode&) const = default;
};

// Keeps frames and names, each once: what it gives stays valid as long as this object, and equal
// frames are one object. Any number of stacks may hold the same frames with the same long names.
class FrameTable {
  public:
    // Of all frames as text: a hostile trace has any number of lines of functions with long names.
    static constexpr size_t kMostBytes = size_t{256} << 20;

    // Beyond kMostBytes: whoever has a frame of a stack already asks for no more of it.
    bool is_full() const { return bytes_ > kMostBytes; }
    std::string_view keep(std::string_view name);
    // Keeps the frame's names as well.
    const Frame* keep(Frame frame);

  private:
    struct NameHash {
        using is_transparent = void;
        size_t operator()(std::string_view name) const {
            return std::hash<std::string_view>{}(name);
        }
    };
    struct FrameHash {
        size_t operator()(const Frame& frame) const;
    };

    std::unordered_set<std::string, NameHash, std::equal_to<>> names_;
    std::unordered_set<Frame, FrameHash> frames_;
    size_t bytes_ = 0;
};

}  // namespace cowscope::attribute
