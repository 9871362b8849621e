// Frames as reports write them.
#include "report/frame_text.h"
#include "tests/catch.h"

using namespace cowscope;
using attribute::Frame;

TEST_CASE("a frame's text is its function and its place", "[report]") {
    Frame frame;
    frame.address = 0x1234;
    CHECK(report::text_of(frame).whole() == "0x1234 (no module)");
    frame.module = "/usr/lib/libx.so";
    CHECK(report::text_of(frame).whole() == "0x1234 (libx.so)");
    frame.function = "f (int)";
    CHECK(report::text_of(frame).function == "f (int)");
    CHECK(report::text_of(frame).place == "(libx.so)");
    frame.file = "/build/x.c";
    frame.line = 7;
    CHECK(report::text_of(frame).whole() == "f (int) (x.c:7)");

    // Of a runtime the whole path, where there is room for it.
    frame.is_runtime = true;
    CHECK(report::text_of(frame).place == "(/build/x.c:7)");
    CHECK(report::short_text_of(frame).place == "(x.c:7)");
}

TEST_CASE("a stack that goes on has a line that says so", "[report]") {
    Frame frame;
    frame.function = "f";
    attribute::FrameStack stack{{&frame}, false};
    CHECK(report::line_count(stack) == 1);
    stack.goes_on = true;
    REQUIRE(report::line_count(stack) == 2);
    CHECK(report::text_of_line(stack, 1).whole() == attribute::kStackGoesOn);
    CHECK(report::text_of_line(stack, 1).place.empty());
}
