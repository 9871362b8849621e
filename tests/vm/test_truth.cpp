// Each tracker that works here, held against what the programs know about their own memory.
#include <algorithm>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/copied_pages.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"
#include "tests/vm/expectations.h"

using namespace cowscope::e2e;
using namespace cowscope::vm;

namespace {

constexpr uint64_t kPageBytes = 4096;

struct Recorded {
    Truth truth;
    Json report;
    std::vector<CopiedPages> processes;
};

RunResult record_with(const std::string& tracker, const std::string& folder, const Words& program) {
    RunResult run =
        run_cowscope(joined({"record", "--tracker", tracker, "-o", folder, "--"}, program));
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    return run;
}

Recorded record_string_map(const std::string& tracker, const std::string& values) {
    const TemporaryFolder folder;
    record_with(tracker, folder / "t.cow",
                {kStringMap, "--entries", "20000", "--children", "2", "--values", values, "--truth",
                 folder / "truth"});
    return {read_truth(folder / "truth"), report_json(folder / "t.cow"),
            read_copied_pages(folder / "t.cow")};
}

Recorded record_page_writer(const std::string& tracker, const Words& options) {
    const TemporaryFolder folder;
    const RunResult run = record_with(tracker, folder / "t.cow", joined({kPageWriter}, options));
    return {truth_from(run.out), report_json(folder / "t.cow"),
            read_copied_pages(folder / "t.cow")};
}

void check_report(const Recorded& recorded, const std::string& tracker) {
    check_consistent(recorded.report);
    CHECK(recorded.report["tracker"] == tracker);
    CHECK(recorded.report["witness"] == "trap");
    CHECK(recorded.report["totals"]["lost_events"] == 0);
    for (const Json& process : processes_of(recorded.report, "fork")) {
        CHECK(process["census"] == "final");
    }
}

// The pages of the memory that page_writer's children share and write in that the child's census
// has and the truth has not, and the other way round.
struct Difference {
    uint64_t missing = 0;
    uint64_t wrong = 0;
};

Difference difference(const Recorded& recorded, const ProcessTruth& truth) {
    const CopiedPages& child = forked_process(recorded.processes, truth.pid);
    Difference difference;
    for (uint64_t i = 0; i < recorded.truth.region_pages; ++i) {
        const uint64_t page = recorded.truth.region_start + i * kPageBytes;
        const bool is_true = truth.pages.count(page) != 0;
        const bool in_census = child.census.count(page) != 0;
        if (is_true && !in_census) ++difference.missing;
        if (!is_true && in_census) ++difference.wrong;
    }
    return difference;
}

void check_census_is_truth(const Recorded& recorded) {
    for (const ProcessTruth& truth : recorded.truth.children) {
        CAPTURE(truth.pid, truth.pages.size());
        REQUIRE_FALSE(truth.pages.empty());
        const Difference found = difference(recorded, truth);
        CHECK(found.missing == 0);
        CHECK(found.wrong == 0);
    }
}

// Too few for a huge page, which the last test is about.
Words few_pages(const Words& more) {
    return joined({"--pages", "300"}, more);
}

}  // namespace

TEST_CASE("every page of a reference count is in the census and a refcount copy") {
    for (const std::string& tracker : expected_trackers()) {
        for (const std::string values : {"refcounted", "shared_ptr"}) {
            CAPTURE(tracker, values);
            const Recorded recorded = record_string_map(tracker, values);
            check_report(recorded, tracker);
            CHECK(recorded.report["totals"]["explained"] >= 0.98);
            REQUIRE(recorded.truth.children.size() == 2);
            for (const ProcessTruth& truth : recorded.truth.children) {
                const CopiedPages& child = forked_process(recorded.processes, truth.pid);
                CAPTURE(truth.pid, truth.pages.size(), child.census.size());
                REQUIRE(truth.pages.size() > 400);
                uint64_t not_in_census = 0;
                uint64_t not_refcount = 0;
                for (const uint64_t page : truth.pages) {
                    if (child.census.count(page) == 0) ++not_in_census;
                    if (child.cause_of(page) != "refcount") ++not_refcount;
                }
                CHECK(not_in_census == 0);
                CHECK(not_refcount == 0);
                // What else a child writes is its stack, and a few pages of libraries and of the
                // heap: were it more, pages would be in the census that nobody wrote.
                CHECK(child.census.size() <= truth.pages.size() + 40);
                std::printf("%s, %s: child %d: %zu pages of the truth, %zu in the census\n",
                            tracker.c_str(), values.c_str(), truth.pid, truth.pages.size(),
                            child.census.size());
            }
        }
    }
}

TEST_CASE("the census is exactly what the children wrote") {
    for (const std::string& tracker : expected_trackers()) {
        for (const std::string end : {"exit", "execv", "raise"}) {
            CAPTURE(tracker, end);
            const Recorded recorded = record_page_writer(
                tracker, few_pages({"--children", "2", "--fresh", "40", "--end", end}));
            check_report(recorded, tracker);
            REQUIRE(recorded.truth.children.size() == 2);
            check_census_is_truth(recorded);
            for (const Json& process : processes_of(recorded.report, "fork")) {
                CHECK(process["fresh_pages"] >= 40);
            }
        }
    }
}

TEST_CASE("the census has what the kernel writes for the program") {
    for (const std::string& tracker : expected_trackers()) {
        CAPTURE(tracker);
        const Recorded recorded = record_page_writer(tracker, few_pages({"--write", "read"}));
        check_report(recorded, tracker);
        check_census_is_truth(recorded);
        const ProcessTruth& truth = recorded.truth.children.at(0);
        const CopiedPages& child = forked_process(recorded.processes, truth.pid);
        CHECK(std::none_of(truth.pages.begin(), truth.pages.end(),
                           [&](uint64_t page) { return child.witnessed.count(page) != 0; }));
        CHECK(pages_of_cause(recorded.report, "kernel") >= truth.pages.size());
    }
}

TEST_CASE("the census of a parent has its own copies") {
    for (const std::string& tracker : expected_trackers()) {
        CAPTURE(tracker);
        const Recorded recorded =
            record_page_writer(tracker, few_pages({"--children", "2", "--parent-writes"}));
        check_report(recorded, tracker);
        const CopiedPages& parent = root_process(recorded.processes);
        REQUIRE_FALSE(recorded.truth.parent.pages.empty());
        uint64_t missing = 0;
        for (const uint64_t page : recorded.truth.parent.pages) {
            if (!parent.is_copied(page)) ++missing;
        }
        CHECK(missing == 0);
        check_census_is_truth(recorded);
    }
}

// Also where the kernel calls all pages of a huge page dirty that it splits: see "fact: a write to
// a shared huge page".
TEST_CASE("of a huge page the census has the 4 KiB pages that were written") {
    for (const std::string& tracker : expected_trackers()) {
        CAPTURE(tracker);
        // Enough that a huge page is in there wherever the memory starts.
        const Recorded recorded = record_page_writer(tracker, {"--pages", "1536"});
        check_report(recorded, tracker);
        check_census_is_truth(recorded);
    }
}
