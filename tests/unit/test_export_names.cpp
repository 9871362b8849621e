// Names in exports. What they may hold is test_printable.cpp's.
#include "export/names.h"
#include "tests/catch.h"

using namespace cowscope;

TEST_CASE("frames are named by function and place", "[export]") {
    attribute::Frame python;
    python.is_runtime = true;
    python.function = "<lambda>";
    python.file = "/srv/app/x.py";
    python.line = 7;
    CHECK(exports::frame_name(python) == "<lambda> (x.py:7)");

    attribute::Frame native;
    native.function = "std::vector<int>::push_back(int const&)";
    native.module = "/usr/lib/libx.so";
    CHECK(exports::frame_name(native) == "std::vector::push_back (libx.so)");
    native.function = "";
    native.address = 0x1234;
    CHECK(exports::frame_name(native) == "? (libx.so)");
}

TEST_CASE("names of frames are one line of UTF-8", "[export]") {
    attribute::Frame python;
    python.is_runtime = true;
    python.function = "a\nb\xff";
    python.file = "/srv/\xe2\x80\xae.py";
    python.line = 7;
    CHECK(exports::frame_name(python) == "a b\xef\xbf\xbd (\xef\xbf\xbd.py:7)");
}
