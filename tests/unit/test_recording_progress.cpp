// When a recording says how far it is, and what.
#include <optional>
#include <string>

#include "cli/recording_progress.h"
#include "tests/catch.h"

using cowscope::cli::RecordingProgress;
using cowscope::observe::SeenSoFar;

TEST_CASE("lines of a recording's progress become rarer", "[progress]") {
    constexpr uint64_t kSecondNs = 1'000'000'000;
    constexpr uint64_t kStartNs = 77 * kSecondNs;
    RecordingProgress progress(kStartNs);
    uint64_t now_ns = kStartNs;
    CHECK_FALSE(progress.line_at(now_ns, {}));

    uint64_t passed_s = 0;
    for (const uint64_t expected_s :
         {5u, 10u, 20u, 40u, 80u, 160u, 320u, 640u, 1240u, 1840u, 2440u}) {
        CAPTURE(expected_s);
        CHECK(progress.due_in(now_ns) == (expected_s - passed_s) * kSecondNs);
        now_ns = kStartNs + expected_s * kSecondNs;
        CHECK_FALSE(progress.line_at(now_ns - 1, {}));
        CHECK(progress.due_in(now_ns - 1) == 1);
        CHECK(progress.due_in(now_ns + kSecondNs) == 0);
        CHECK(progress.line_at(now_ns, {}));
        passed_s = expected_s;
    }
}

TEST_CASE("a line of progress tells the rate since the line before", "[progress]") {
    constexpr uint64_t kSecondNs = 1'000'000'000;
    RecordingProgress progress(0);
    CHECK(progress.line_at(5 * kSecondNs, SeenSoFar{3, 2, 10'000}) ==
          std::string("5 s: 3 processes, 2 running; 10,000 pages, 39.1 MiB, copied so far, 2,000 a "
                      "second"));
    CHECK(progress.line_at(10 * kSecondNs, SeenSoFar{1'003, 2, 10'500}) ==
          std::string("10 s: 1,003 processes, 2 running; 10,500 pages, 41.0 MiB, copied so far, "
                      "100 a second"));
    // Copies of a process that has executed another program may be counted no more.
    CHECK(progress.line_at(20 * kSecondNs, SeenSoFar{1'003, 1, 500}) ==
          std::string("20 s: 1,003 processes, 1 running; 500 pages, 2.0 MiB, copied so far, 0 a "
                      "second"));
}
