// Numbers, sizes and words in texts of users.
#include "base/parse_text.h"
#include "tests/catch.h"

using namespace cowscope;

TEST_CASE("sizes are numbers with units") {
    CHECK(parse_size("0") == 0);
    CHECK(parse_size("4096") == 4096);
    CHECK(parse_size("12B") == 12);
    CHECK(parse_size("64M") == 64 * (uint64_t{1} << 20));
    CHECK(parse_size("64MiB") == 64 * (uint64_t{1} << 20));
    CHECK(parse_size("64MB") == 64'000'000);
    CHECK(parse_size("1.5k") == 1536);
    CHECK(parse_size("2G") == 2048 * (uint64_t{1} << 20));
    // Beyond 2^53, where a double is not exact.
    CHECK(parse_size("9223372036854775807") == 9'223'372'036'854'775'807u);
    CHECK(parse_size("9007199254740993") == 9'007'199'254'740'993u);
    for (const char* wrong : {"", "M", "-1", "1X", "1MiBs", "1 M", "nan", "inf", "9e99", "9999999T",
                              "9223372036854775808"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_size(wrong));
    }
}

TEST_CASE("numbers are whole texts of digits") {
    unsigned number = 0;
    CHECK(parse_number("17", &number));
    CHECK(number == 17);
    for (const char* wrong : {"", " 1", "1 ", "+1", "1x", "4294967296"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_number(wrong, &number));
    }
    CHECK(parse_positive<unsigned>("8", 8u) == 8u);
    CHECK_FALSE(parse_positive<unsigned>("0", 8u));
    CHECK_FALSE(parse_positive<unsigned>("9", 8u));
}

TEST_CASE("a list of words reads as a sentence") {
    CHECK(list_of({"text", "json"}) == "text or json");
    CHECK(list_of({"a", "b", "c"}) == "a, b or c");
    CHECK(list_of({"a"}) == "a");
}
