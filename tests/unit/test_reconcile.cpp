#include "attribute/reconcile.h"
#include "tests/catch.h"

using cowscope::attribute::difference_note;
using cowscope::attribute::MemoryAccount;

namespace {

MemoryAccount account(uint64_t grown_kb, uint64_t counted_kb) {
    MemoryAccount made;
    made.grown_kb = grown_kb;
    made.counted_kb = counted_kb;
    return made;
}

}  // namespace

TEST_CASE("memory that comes out within 2 % and 1 MiB needs no note", "[reconcile]") {
    CHECK_FALSE(difference_note(account(0, 0)));
    CHECK_FALSE(difference_note(account(1024, 0)));
    CHECK_FALSE(difference_note(account(0, 1024)));
    CHECK_FALSE(difference_note(account(128124, 126764)));
    CHECK_FALSE(difference_note(account(100000 + 1024 + 2000, 100000)));
}

TEST_CASE("private memory beyond what was counted is said", "[reconcile]") {
    const auto note = difference_note(account(20 * 1024, 10 * 1024));
    REQUIRE(note);
    CHECK(note->find("grew by 20.0 MiB") != std::string::npos);
    CHECK(note->find("are 10.0 MiB") != std::string::npos);
    CHECK(note->find("pages were missed") != std::string::npos);
    // What is mapped shared is private to who alone has touched it.
    MemoryAccount shared = account(20 * 1024, 10 * 1024);
    shared.shared_memory_kb = 9 * 1024;
    CHECK_FALSE(difference_note(shared));
    shared.shared_memory_kb = 8 * 1024;
    CHECK(difference_note(shared));
}

TEST_CASE("private memory that lacks what was counted is said", "[reconcile]") {
    const auto note = difference_note(account(10 * 1024, 20 * 1024));
    REQUIRE(note);
    CHECK(note->find("gave some of them up again") != std::string::npos);
}
