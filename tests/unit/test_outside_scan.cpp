// Following growing segments, looking at live processes, and the pace of that.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "observe/outside_scan.h"
#include "observe/segment_tail.h"
#include "record/launch.h"
#include "tests/catch.h"
#include "tests/unit/outside_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "trace/outside.h"

using namespace cowscope;
using namespace cowscope::observe;
using namespace cowscope::record;
namespace fs = std::filesystem;

TEST_CASE("a segment is followed while it grows", "[outside]") {
    const TemporaryFolder folder;
    const std::string path = folder / "process-1-77.cowseg";
    SegmentTail tail(path);
    CHECK_THROWS_AS(tail.read_on(), Error);
    Segment segment(path);
    tail.read_on();
    REQUIRE(tail.process());
    CHECK(tail.process()->role == trace::Role::fork);
    CHECK_FALSE(tail.can_be_scanned());

    segment.protect(0, {0x7f5500000000, 3});
    tail.read_on();
    CHECK_FALSE(tail.can_be_scanned());
    segment.inherited(0, {{0x7f0000000000, 4}}, trace::kMoreParts);
    tail.read_on();
    CHECK_FALSE(tail.can_be_scanned());
    segment.inherited(0, {{0x7f0000010000, 2}});
    tail.read_on();
    CHECK(tail.can_be_scanned());
    CHECK(runs_of(tail.own()) == Runs{{0x7f5500000000, 3}});
    trace::PageSet inherited;
    tail.read_inherited(&inherited);
    CHECK(runs_of(inherited) == Runs{{0x7f0000000000, 4}, {0x7f0000010000, 2}});

    const uint64_t turns = tail.turns();
    segment.discarded({0x7f0000001000, 2});
    segment.discarded({0x7f0000010000, 20});
    segment.census(0, trace::CensusKind::discarded, 5, {{0x7f0000001000, 1}});
    tail.read_on();
    CHECK(tail.turns() == turns);
    tail.read_inherited(&inherited);
    CHECK(runs_of(inherited) == Runs{{0x7f0000000000, 1}, {0x7f0000003000, 1}});

    SECTION("a fork starts anew") {
        segment.forks(1);
        tail.read_on();
        CHECK(tail.turns() > turns);
        CHECK_FALSE(tail.can_be_scanned());
        segment.protect(1);
        segment.inherited(1, {{0x7f0000000000, 9}});
        tail.read_on();
        CHECK(tail.can_be_scanned());
        tail.read_inherited(&inherited);
        CHECK(runs_of(inherited) == Runs{{0x7f0000000000, 9}});
        segment.forks(2);
        segment.inherited(2, {{0x7f0000000000, 9}});
        tail.read_on();
        CHECK_FALSE(tail.can_be_scanned());  // not protected yet
    }
    SECTION("nobody looks any more where nobody shares, until the next fork") {
        segment.census(0, trace::CensusKind::alone, 6, {});
        tail.read_on();
        CHECK(tail.turns() > turns);
        CHECK_FALSE(tail.can_be_scanned());
        segment.forks(1);
        segment.protect(1);
        segment.inherited(1, {{0x7f0000000000, 9}});
        tail.read_on();
        CHECK(tail.can_be_scanned());
    }
    SECTION("the end is one until the process goes on") {
        segment.end(9, trace::EndKind::exec);
        tail.read_on();
        CHECK(tail.says_ended());
        CHECK(tail.turns() > turns);
        CHECK_FALSE(tail.can_be_scanned());
        segment.discarded({0x7f0000000000, 1});
        tail.read_on();
        CHECK_FALSE(tail.says_ended());
        CHECK(tail.can_be_scanned());
    }
    SECTION("what found no room may have mattered") {
        segment.writer().count_loss(&trace::LossRecord::unwritten_bytes, 8);
        tail.read_on();
        CHECK_FALSE(tail.can_be_scanned());
    }
    SECTION("a segment that shrinks is an error") {
        fs::resize_file(path, 100);
        CHECK_THROWS_AS(tail.read_on(), Error);
    }
}

// This process maps a segment as a recorded one does.
TEST_CASE("a live process is recognised by its segment and scanned", "[outside]") {
    const TemporaryFolder folder;
    const std::string name = "-" + std::to_string(getpid()) + "-77";
    const std::string outside = folder / ("outside" + name + trace::kOutsideSuffix);
    Segment segment(folder / ("process" + name + trace::kSegmentSuffix));
    Memory memory(64);
    for (size_t page = 0; page < 64; ++page) memory.touch(page);
    ScanPace pace;
    pace.interval_ns = 0;
    pace.rest_per_work = 0;
    OutsideScan scan(folder.path(), pace);

    scan.tick();
    CHECK_FALSE(fs::exists(outside));
    segment.inherited(0, {{memory.address(), 64}});
    scan.tick();
    CHECK_FALSE(fs::exists(outside));  // not protected: nothing could be told
    segment.protect(0);
    scan.tick();
    auto seen = trace::read_outside(outside);
    REQUIRE(seen);
    REQUIRE(seen->census);
    CHECK(seen->samples.size() == 1);
    CHECK(seen->census->fresh_pages > 0);
    CHECK(seen->census->copied.pages() <= 64);
    CHECK(seen->census->time_ns <= monotonic_ns());
    const uint64_t fresh = seen->census->fresh_pages;

    SECTION("pages that were given up are its own, and the shim's are nobody's") {
        segment.discarded({memory.address(), 32});
        Memory shims(512);
        for (size_t page = 0; page < 512; ++page) shims.touch(page);
        segment.protect(0, {shims.address(), 512});
        scan.tick();
        seen = trace::read_outside(outside);
        REQUIRE(seen->samples.size() == 2);
        // Not exact: this process lives on meanwhile.
        CHECK(seen->census->fresh_pages >= fresh + 32);
        CHECK(seen->census->fresh_pages < fresh + 32 + 400);
        CHECK(seen->census->copied.pages() <= 32);
    }
    SECTION("between a fork and the pages that it shares nothing is counted") {
        segment.forks(1);
        scan.tick();
        CHECK(trace::read_outside(outside)->samples.size() == 1);
        segment.protect(1);
        segment.inherited(1, {{memory.address(), 64}});
        scan.tick();
        CHECK(trace::read_outside(outside)->samples.size() == 2);
    }
    SECTION("who says the end is looked at no more") {
        segment.end(monotonic_ns());
        scan.tick();
        scan.finish();
        CHECK(trace::read_outside(outside)->samples.size() == 1);
    }
    CHECK(scan.notes().empty());
}

TEST_CASE("a process that has not mapped the segment is another one", "[outside]") {
    const TemporaryFolder folder;
    const std::string name = "-" + std::to_string(getppid()) + "-77";
    Segment segment(folder / ("process" + name + trace::kSegmentSuffix), getppid());
    segment.inherited(0, {{0x7f0000000000, 64}});
    segment.protect(0);
    ScanPace pace;
    pace.interval_ns = 0;
    pace.rest_per_work = 0;
    OutsideScan scan(folder.path(), pace);
    for (int i = 0; i < 10; ++i) scan.tick();
    scan.finish();
    CHECK_FALSE(fs::exists(folder / ("outside" + name + trace::kOutsideSuffix)));
}

TEST_CASE("looks keep to their pace", "[outside]") {
    const TemporaryFolder folder;
    SECTION("called early, it only says so") {
        ScanPace pace;
        pace.interval_ns = 3'600'000'000'000;
        OutsideScan scan(folder.path(), pace);
        const uint64_t first = scan.tick();
        CHECK(first > 0);
        CHECK(first <= pace.interval_ns);
        CHECK(scan.tick() <= first);
    }
    SECTION("called late, it looks and then rests") {
        ScanPace pace;
        pace.interval_ns = 50'000'000;
        OutsideScan scan(folder.path(), pace);
        usleep(60'000);
        CHECK(scan.tick() >= pace.interval_ns);
    }
}

TEST_CASE("while a program runs there is time for something else", "[launch][outside]") {
    const auto run = [](const std::string& script, const Meanwhile& meanwhile) {
        SignalGate gate;
        return launch(
            &gate, {"/bin/sh", "-c", script}, [](pid_t) { return std::vector<std::string>(); },
            [] {}, meanwhile);
    };
    SECTION("again and again") {
        int calls = 0;
        const LaunchResult result = run("sleep 1; exit 4", [&]() -> uint64_t {
            ++calls;
            return 10'000'000;
        });
        CHECK(result.ending.value == 4);
        CHECK(calls >= 5);
        // A loop that does not wait would come to a hundred thousand.
        CHECK(calls <= 1000);
    }
    SECTION("and the end comes through at once, even to who blocks or ignores SIGCHLD") {
        const bool is_blocked = GENERATE(false, true);
        const bool is_ignored = GENERATE(false, true);
        CAPTURE(is_blocked, is_ignored);
        sigset_t child;
        sigset_t before;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigprocmask(is_blocked ? SIG_BLOCK : SIG_UNBLOCK, &child, &before);
        const auto handler = std::signal(SIGCHLD, is_ignored ? SIG_IGN : SIG_DFL);
        const auto start = std::chrono::steady_clock::now();
        const LaunchResult result =
            run("sleep 0.1; exit 4", []() -> uint64_t { return 60'000'000'000; });
        const auto elapsed = std::chrono::steady_clock::now() - start;
        std::signal(SIGCHLD, handler);
        sigprocmask(SIG_SETMASK, &before, nullptr);
        CHECK(result.ending.value == 4);
        CHECK(elapsed < std::chrono::seconds(30));
    }
}
