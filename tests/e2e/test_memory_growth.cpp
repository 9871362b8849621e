// Copied and fresh pages against the growth of private memory, where both are large. The workloads'
// tests check the same of what they record.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/memory_growth.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"

using namespace cowscope::e2e;

TEST_CASE("copied and fresh pages are the growth of private memory", "[memory]") {
    const std::string write = GENERATE(std::string("store"), "read", "look");
    CAPTURE(write);
    const TemporaryFolder folder;
    const RunResult run = record_successfully(
        folder / "t.cow",
        {kPageWriter, "--pages", "20000", "--fresh", "10000", "--children", "2", "--write", write});
    const Truth truth = truth_from(run.out);
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    REQUIRE(truth.children.size() == 2);
    for (const ProcessTruth& child : truth.children) {
        REQUIRE(child.pages.size() == (write == "look" ? 0 : 15000));
        const Json process = find_process(report, child.pid);
        REQUIRE_FALSE(process.is_null());
        check_memory_growth(process);
        // Beside them, a child writes a few pages of its stack and libraries.
        constexpr uint64_t kOwnPages = 256;
        CHECK(process["copied_pages"] >= child.pages.size());
        CHECK(process["copied_pages"] <= child.pages.size() + kOwnPages);
        CHECK(process["fresh_pages"] >= child.fresh_pages);
        CHECK(process["fresh_pages"] <= child.fresh_pages + kOwnPages);
    }
}
