// Native and Python frames as one stack.
#include <string>
#include <vector>

#include "runtime/frames.h"
#include "tests/catch.h"

using namespace cowscope;
using runtime::NativeFrameKind;

namespace {

constexpr NativeFrameKind kOther{false, false};
constexpr NativeFrameKind kInterpreter{true, false};
constexpr NativeFrameKind kLoop{true, true};

// Three frames: two run in one loop, entered from C, and one outside of it.
trace::ProcessTrace process_with_stack() {
    trace::ProcessTrace process;
    process.runtime.codes.resize(3);
    trace::RuntimeStack& stack = process.runtime.stacks.emplace_back();
    for (uint32_t code = 0; code < 3; ++code) {
        trace::RuntimeFrame& frame = stack.frames.emplace_back();
        frame.code = code == 0 ? code : code | trace::kEnteredFromC;
    }
    return process;
}

// "n1 p0": native frame 1, then Python frame 0.
std::string mixed(const std::vector<NativeFrameKind>& native) {
    const trace::ProcessTrace process = process_with_stack();
    const runtime::Stacks stacks(process);
    std::string text;
    for (const runtime::MixedFrame& frame : runtime::mix_frames(native, stacks, 0)) {
        text += (text.empty() ? "" : " ") + std::string(frame.is_native ? "n" : "p") +
                std::to_string(frame.index);
    }
    return text;
}

}  // namespace

TEST_CASE("each loop of the interpreter stands for the Python frames that it ran") {
    CHECK(mixed({kInterpreter, kLoop, kOther, kInterpreter, kLoop, kOther}) == "p0 p1 n2 p2 n5");
}

TEST_CASE("the writer below the interpreter stays below") {
    CHECK(mixed({kOther, kInterpreter, kLoop, kLoop, kOther}) == "n0 p0 p1 p2 n4");
}

TEST_CASE("Python frames of a native stack that was cut come last") {
    CHECK(mixed({kOther, kLoop}) == "n0 p0 p1 p2");
    CHECK(mixed({}) == "p0 p1 p2");
}

TEST_CASE("a loop without a name is somewhere in the interpreter, and what started it outside") {
    CHECK(mixed({kOther, kInterpreter, kInterpreter, kOther}) == "n0 p0 p1 p2 n3");
}
