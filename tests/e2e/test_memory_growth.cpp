// Copied and fresh pages against the growth of private memory, where both are large. The workloads'
// tests check the same of what they record.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/memory_growth.h"
#include "tests/e2e/pythons.h"
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

TEST_CASE("memory that is shared on purpose is no copy that was missed", "[memory]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "Debian's Python");
    // Of a mapping that all share, what one process alone has touched counts as private.
    const std::string script =
        "import mmap, os\n"
        "shared = mmap.mmap(-1, 16 << 20)\n"
        "own = mmap.mmap(-1, 16 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "if os.fork() == 0:\n"
        "    for at in range(0, 16 << 20, 4096):\n"
        "        shared[at] = own[at] = 1\n"
        "    os._exit(0)\n"
        "assert os.wait()[1] == 0\n";
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {python, "-c", script});
    const Json report = report_json(folder / "t.cow");
    CAPTURE(report["processes"].dump(1), report["notes"].dump(1));
    CHECK(find_note(report, {"private memory grew"}).empty());
    REQUIRE(report["processes"].size() == 2);
    // Else this tests nothing.
    const Json& child =
        report["processes"][0]["role"] == "fork" ? report["processes"][0] : report["processes"][1];
    CHECK(child["private_dirty_kb_at_end"].get<uint64_t>() >= 32 << 10);
    const uint64_t pages =
        child["copied_pages"].get<uint64_t>() + child["fresh_pages"].get<uint64_t>();
    CHECK(pages >= 4096);
    CHECK(pages < 2 * 4096 - 1024);
}
