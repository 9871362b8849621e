// Names in exports: one line of valid UTF-8, whatever the program's names hold.
#include "export/names.h"
#include "tests/catch.h"

using namespace cowscope;
using exports::clean;

TEST_CASE("names keep what is UTF-8", "[export]") {
    for (const std::string name :
         {"", "read_map", "naïve", "数え上げ", "\xf0\x9f\x90\x84", "\xef\xbf\xbf", "a b;c"}) {
        CHECK(clean(name) == name);
    }
}

TEST_CASE("names lose what is no UTF-8, and lines", "[export]") {
    const std::string lost = "\xef\xbf\xbd";
    CHECK(clean("a\nb\tc\x7f") == "a b c ");
    CHECK(clean(std::string("a\0b", 3)) == "a b");
    CHECK(clean("\xff") == lost);
    CHECK(clean("a\x80z") == "a" + lost + "z");
    CHECK(clean("\xc3") == lost);                                   // cut
    CHECK(clean("\xe2\x82") == lost + lost);                        // cut
    CHECK(clean("\xc0\xaf") == lost + lost);                        // longer than needed
    CHECK(clean("\xe0\x80\xaf") == lost + lost + lost);             // longer than needed
    CHECK(clean("\xed\xa0\x80") == lost + lost + lost);             // half of a pair
    CHECK(clean("\xf4\x90\x80\x80") == lost + lost + lost + lost);  // beyond the last character
}

TEST_CASE("frames are named by function and place", "[export]") {
    attribute::StackFrame python;
    python.is_python = true;
    python.function = "<lambda>";
    python.file = "/srv/app/x.py";
    python.line = 7;
    CHECK(exports::frame_name(python) == "<lambda> (x.py:7)");

    attribute::StackFrame native;
    native.function = "std::vector<int>::push_back(int const&)";
    native.module = "/usr/lib/libx.so";
    CHECK(exports::frame_name(native) == "std::vector::push_back (libx.so)");
    native.function = "";
    native.address = 0x1234;
    CHECK(exports::frame_name(native) == "? (libx.so)");
}
