#include <memory>

#include "tests/catch.h"
#include "witness/last_events.h"

using cowscope::witness::LastEvents;

namespace {

constexpr pid_t kFirst = 4711;
constexpr uint64_t kCode = 0x5555'5555'1000;
constexpr uint64_t kStack = 0x7fff'ffff'1000;

std::unique_ptr<LastEvents> empty_table() {
    return std::make_unique<LastEvents>();  // zeroed
}

}  // namespace

TEST_CASE("where one thread was last is nothing of another whose number is a step away") {
    const int step = GENERATE(1, 2, 32, 64, 128, 4096, 65536);
    CAPTURE(step);
    const auto table = empty_table();
    table->note(kFirst, kCode, kStack);
    CHECK(table->is_last(kFirst, kCode, kStack));
    CHECK_FALSE(table->is_last(kFirst + step, kCode, kStack));
    table->note(kFirst + step, kCode + 4, kStack);
    CHECK(table->is_last(kFirst, kCode, kStack));
    CHECK(table->is_last(kFirst + step, kCode + 4, kStack));
    CHECK_FALSE(table->is_last(kFirst + step, kCode, kStack));
}

TEST_CASE("a thread that has moved on is not where it was") {
    const auto table = empty_table();
    table->note(kFirst, kCode, kStack);
    table->note(kFirst, kCode + 4, kStack);
    CHECK_FALSE(table->is_last(kFirst, kCode, kStack));
    CHECK(table->is_last(kFirst, kCode + 4, kStack));
    CHECK_FALSE(table->is_last(kFirst, kCode + 4, kStack - 16));
}

TEST_CASE("of threads that come and go the newest are known") {
    const int step = GENERATE(1, 2, 32, 64, 128, 4096);
    CAPTURE(step);
    const auto table = empty_table();
    constexpr int kThreads = 4000;
    constexpr int kNewest = 4;  // as many as find room wherever they stand
    for (int i = 0; i < kThreads; ++i) {
        const auto place = static_cast<uint64_t>(i);
        table->note(kFirst + i * step, kCode + place, kStack);
        for (int back = 0; back < kNewest && back <= i; ++back) {
            REQUIRE(table->is_last(kFirst + (i - back) * step,
                                   kCode + place - static_cast<uint64_t>(back), kStack));
        }
    }
}
