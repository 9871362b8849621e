// Line tables of Python code objects. tests/e2e/test_python_lines.cpp holds whole stacks against
// what the interpreters themselves say.
#include <string>
#include <vector>

#include "runtime/cpython/line_table.h"
#include "tests/catch.h"

using namespace cowscope;

namespace {

trace::RuntimeCode code_with(int32_t first_line, const std::vector<uint8_t>& table) {
    trace::RuntimeCode code;
    code.first_line = first_line;
    code.line_table = table;
    return code;
}

constexpr uint32_t k36 = 0x03060ff0;
constexpr uint32_t k310 = 0x030a0df0;
constexpr uint32_t k311 = 0x030b07f0;

}  // namespace

TEST_CASE("co_lnotab: steps of offset and line, lines also backwards, long steps in parts") {
    // Offsets 0-5: line 11; 6-7: 12; 8-17: 10; from 18 on: 10 + 127 + 73.
    const auto code = code_with(10, {0, 1, 6, 1, 2, 0xfe, 10, 127, 0, 73});
    CHECK(cpython::line_of(code, k36, 0) == 11);
    CHECK(cpython::line_of(code, k36, 5) == 11);
    CHECK(cpython::line_of(code, k36, 6) == 12);
    CHECK(cpython::line_of(code, k36, 8) == 10);
    CHECK(cpython::line_of(code, k36, 17) == 10);
    CHECK(cpython::line_of(code, k36, 18) == 210);
    CHECK(cpython::line_of(code, k36, 4000) == 210);
    CHECK(cpython::line_of(code, k36, -1) == 10);
    CHECK(cpython::line_of(code_with(7, {}), k36, 20) == 7);
}

TEST_CASE("co_lnotab that was cut says nothing of what lies behind the cut") {
    auto code = code_with(10, {4, 1, 4, 1});
    code.line_table_truncated = true;
    CHECK(cpython::line_of(code, k36, 4) == 11);
    CHECK_FALSE(cpython::line_of(code, k36, 8));
}

TEST_CASE("co_linetable of 3.10: ranges, some without a line") {
    const auto code = code_with(20, {4, 1, 2, 0x80, 6, 2});
    CHECK(cpython::line_of(code, k310, 0) == 21);
    CHECK_FALSE(cpython::line_of(code, k310, 4));
    CHECK(cpython::line_of(code, k310, 6) == 23);
    CHECK_FALSE(cpython::line_of(code, k310, 12));
    CHECK(cpython::line_of(code, k310, -2) == 20);
}

TEST_CASE("co_linetable from 3.11 on: every form of entry") {
    const auto code = code_with(30, {
                                        0x80 | 13 << 3 | 0, 0x02,              // 1 unit: line 31
                                        0x80 | 3 << 3 | 1, 0x12,               // 2 units: same
                                        0x80 | 11 << 3 | 0, 0x04, 0x09,        // 1 unit: line 32
                                        0x80 | 15 << 3 | 0,                    // 1 unit: none
                                        0x80 | 14 << 3 | 0, 0x03, 0x00, 1, 2,  // 1 unit: line 31
                                        0x80 | 13 << 3 | 7, 0x48, 0x03,        // 8 units: +100
                                    });
    CHECK(cpython::line_of(code, k311, 0) == 31);
    CHECK(cpython::line_of(code, k311, 2) == 31);
    CHECK(cpython::line_of(code, k311, 5) == 31);
    CHECK(cpython::line_of(code, k311, 6) == 32);
    CHECK_FALSE(cpython::line_of(code, k311, 8));
    CHECK(cpython::line_of(code, k311, 10) == 31);
    CHECK(cpython::line_of(code, k311, 12) == 131);
    CHECK(cpython::line_of(code, k311, 26) == 131);
    CHECK_FALSE(cpython::line_of(code, k311, 28));
}

TEST_CASE("a hostile line table ends with no line") {
    for (const uint32_t version : {k36, k310, k311}) {
        for (int byte = 0; byte < 256; ++byte) {
            for (size_t length = 0; length < 40; ++length) {
                const std::vector<uint8_t> table(length, static_cast<uint8_t>(byte));
                (void)cpython::line_of(code_with(INT32_MAX, table), version, 1 << 20);
                (void)cpython::line_of(code_with(-5, table), version, 3);
            }
        }
    }
    CHECK_FALSE(cpython::line_of(code_with(30, {0x80 | 14 << 3, 0x7f, 0x7f}), k311, 0));
}
