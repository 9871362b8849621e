#include "base/utf8.h"
#include "tests/catch.h"

using namespace cowscope;

TEST_CASE("what is written as UTF-8 is read back, up to the last character") {
    for (const uint32_t code : {0u, 0x41u, 0x7fu, 0x80u, 0x7ffu, 0x800u, 0xd7ffu, 0xe000u, 0xffffu,
                                0x10000u, 0x1f40du, kLastCode}) {
        CAPTURE(code);
        std::string text;
        append_utf8(&text, code);
        const Character first = first_character(text + "x");
        CHECK(first.code == code);
        CHECK(first.bytes == text.size());
        CHECK_FALSE(continues_character(text.front()));
        for (size_t i = 1; i < text.size(); ++i) CHECK(continues_character(text[i]));
        // Without its end it is none.
        if (text.size() > 1) CHECK(first_character(text.substr(0, text.size() - 1)).bytes == 0);
    }
    std::string surrogate;
    append_utf8(&surrogate, 0xd800);
    CHECK(first_character(surrogate).bytes == 0);
}
