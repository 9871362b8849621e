// Pools of Python's multiprocessing that are ended while their workers live lose no copies. The
// workers know which pages they wrote (programs/pool_end.py).
#include <string>

#include "tests/catch.h"
#include "tests/e2e/copied_pages.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

const std::string kPoolEnd = COWSCOPE_SOURCE_DIR "/tests/e2e/programs/pool_end.py";
constexpr uint64_t kPages = 500;
constexpr size_t kWorkers = 3;

void check_pool(const std::string& python, const std::string& how, const Words& options) {
    CAPTURE(python, how, options);
    const TemporaryFolder folder;
    const RunResult run = run_cowscope(
        joined(joined({"record", "-o", folder / "t.cow"}, options),
               {"--", python, kPoolEnd, how, std::to_string(kPages), std::to_string(kWorkers)}));
    CAPTURE(run.out, run.err);
    REQUIRE_FALSE(run.timed_out);
    REQUIRE(run.status() == 0);
    const Json truth = Json::parse(run.out);
    REQUIRE(truth["pids"].size() == kWorkers);
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    const std::vector<CopiedPages> processes = read_copied_pages(folder / "t.cow");
    for (const Json& pid : truth["pids"]) {
        const Json worker = find_process(report, pid.get<int>());
        CAPTURE(pid.get<int>(), report["processes"].dump(1));
        REQUIRE_FALSE(worker.is_null());
        CHECK(worker["copied_pages"] >= kPages);
        CHECK(worker["census"] == "final");
        CHECK(worker["exit"]["kind"] != "unknown");
        const CopiedPages& copied = forked_process(processes, pid.get<int>());
        uint64_t missing = 0;
        for (uint64_t page = 0; page < kPages; ++page) {
            constexpr uint64_t kPageBytes = 4096;
            if (!copied.is_copied(truth["start"].get<uint64_t>() + page * kPageBytes)) ++missing;
        }
        CHECK(missing == 0);
    }
}

void check_version(const std::string& version) {
    const std::string python = python_of_version(version);
    if (python.empty()) {
        WARN("SKIPPED: no Python " << version << " on this machine; nothing was tested with it");
        return;
    }
    check_pool(python, "terminate", {});
    check_pool(python, "terminate", {"--witness", "off"});
    check_pool(python, "with", {});
}

}  // namespace

// A test of its own for each, so that a version that is missing is seen.
TEST_CASE("a pool that is ended loses no copies on Python 3.6", "[pool]") {
    check_version("3.6");
}
TEST_CASE("a pool that is ended loses no copies on Python 3.7", "[pool]") {
    check_version("3.7");
}
TEST_CASE("a pool that is ended loses no copies on Python 3.8", "[pool]") {
    check_version("3.8");
}
TEST_CASE("a pool that is ended loses no copies on Python 3.9", "[pool]") {
    check_version("3.9");
}
TEST_CASE("a pool that is ended loses no copies on Python 3.10", "[pool]") {
    check_version("3.10");
}
TEST_CASE("a pool that is ended loses no copies on Python 3.11", "[pool]") {
    check_version("3.11");
}
TEST_CASE("a pool that is ended loses no copies on Python 3.12", "[pool]") {
    check_version("3.12");
}
TEST_CASE("a pool that is ended loses no copies on Python 3.13", "[pool]") {
    check_version("3.13");
}
