// SIGKILL at any moment: everything up to then is reported, and what is missing is said.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/copied_pages.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"

using namespace cowscope::e2e;

namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint32_t kPages = 2000;
constexpr uint32_t kChildren = 20;

// The child had completed `truth.pages` when it died, and may have been at one more.
void check_killed_child(const Json& report, const std::vector<CopiedPages>& processes,
                        const Truth& truth, const ProcessTruth& child, const Json& summary) {
    CAPTURE(child.pid, child.pages.size(), summary.dump(1));
    CHECK(summary["parent"] == truth.parent.pid);
    // The recorder may have looked at it while it lived.
    CHECK(summary["census"] != "final");
    // Unknown, unless the recorder came by while its parent had not waited for it.
    if (summary["exit"]["kind"] != "unknown") {
        CHECK(summary["exit"] == Json({{"kind", "signal"}, {"value", SIGKILL}}));
    }
    CHECK(summary["lost_events"] == 0);
    CHECK(summary["copied_pages"] >= child.pages.size());
    const CopiedPages& copied = forked_process(processes, child.pid);
    uint64_t missing = 0;
    uint64_t others = 0;
    for (uint64_t i = 0; i < truth.region_pages; ++i) {
        const uint64_t page = truth.region_start + i * kPageBytes;
        const bool is_true = child.pages.count(page) != 0;
        if (is_true && copied.cause_of(page) != "store") ++missing;
        if (!is_true && copied.is_copied(page)) ++others;
    }
    CHECK(missing == 0);
    CHECK(others <= 1);
    // What is missing, of whom.
    CHECK_FALSE(find_note(report, {"process " + std::to_string(child.pid)}).empty());
}

Words killed_children(const std::string& fork, int seed) {
    return {kPageWriter,
            "--pages",
            std::to_string(kPages),
            "--children",
            std::to_string(kChildren),
            "--fork",
            fork,
            "--kill",
            std::to_string(seed)};
}

}  // namespace

TEST_CASE("children that are killed at random moments keep every copy until then", "[killed]") {
    const std::string fork = GENERATE(std::string("fork"), "_Fork", "clone");
    const int seed = GENERATE(100, 200);
    CAPTURE(fork, seed);
    const TemporaryFolder folder;
    const RunResult run = record_successfully(folder / "t.cow", killed_children(fork, seed));
    const Truth truth = truth_from(run.out);
    const Json report = report_json(folder / "t.cow");
    const std::vector<CopiedPages> processes = read_copied_pages(folder / "t.cow");
    check_consistent(report);

    REQUIRE(truth.children.size() == kChildren);
    uint32_t in_the_middle = 0;
    uint32_t without_a_trace = 0;
    for (const ProcessTruth& child : truth.children) {
        REQUIRE(WIFSIGNALED(child.wait_status));
        REQUIRE(WTERMSIG(child.wait_status) == SIGKILL);
        if (!child.pages.empty() && child.pages.size() < kPages / 4 * 3) ++in_the_middle;
        const Json summary = find_process(report, child.pid);
        if (!summary.is_null()) {
            check_killed_child(report, processes, truth, child, summary);
        } else {
            // Dead before it could say who it is: it wrote nothing of its own then.
            CHECK(child.pages.empty());
            // With a file that says nothing or without: its parent knows of it alone.
            ++without_a_trace;
        }
    }
    // Two of three are killed at a number of pages.
    CHECK(in_the_middle >= kChildren / 3);
    if (without_a_trace != 0) {
        CAPTURE(truth.parent.pid, without_a_trace, report["notes"].size());
        CHECK_FALSE(find_note(report, {"child", std::to_string(without_a_trace)}).empty());
    }
    const Json root = processes_of(report, "root").at(0);
    CHECK(root["census"] == "final");
    CHECK(root["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
    CHECK(run_cowscope({"report", folder / "t.cow"}).status() == 0);
}

TEST_CASE("a killed root process leaves a whole trace of its children", "[killed]") {
    const TemporaryFolder folder;
    const RunResult run =
        record(folder / "t.cow", {kPageWriter, "--children", "3", "--parent-end", "killed"});
    CAPTURE(run.err);
    CHECK(run.status() == 128 + SIGKILL);
    const Truth truth = truth_from(run.out);
    const Json report = report_json(folder / "t.cow");
    const std::vector<CopiedPages> processes = read_copied_pages(folder / "t.cow");
    check_consistent(report);
    REQUIRE(truth.children.size() == 3);
    for (const ProcessTruth& child : truth.children) {
        const Json summary = find_process(report, child.pid);
        REQUIRE_FALSE(summary.is_null());
        CHECK(summary["census"] == "final");
        const CopiedPages& copied = forked_process(processes, child.pid);
        for (const uint64_t page : child.pages) {
            if (!copied.is_copied(page)) FAIL("missing: " << page);
        }
    }
    const Json root = processes_of(report, "root").at(0);
    CHECK(root["pid"] == truth.parent.pid);
    CHECK(root["census"] != "final");
    // The recorder waited for it and saw.
    CHECK(root["exit"] == Json({{"kind", "signal"}, {"value", SIGKILL}}));
    CHECK_FALSE(find_note(report, {"process " + std::to_string(truth.parent.pid)}).empty());
}

TEST_CASE("a killed recorder costs only what it alone knew", "[killed]") {
    const TemporaryFolder folder;
    // The program outlives its recorder: it goes on when the file is there.
    const std::string script = "while [ ! -e '" + folder / "go" + "' ]; do sleep 0.01; done; " +
                               kPageWriter + " --children 2 > '" + folder / "truth" + "'";
    RunOptions options;
    options.when_started = [&](pid_t recorder) {
        constexpr int kMostTries = 10'000;
        for (int i = 0; i < kMostTries && !has_segment(folder / "t.cow"); ++i) usleep(1000);
        kill(recorder, SIGKILL);
        std::ofstream(folder / "go").put('\n');
    };
    const RunResult run = record(folder / "t.cow", {"/bin/sh", "-c", script}, options);
    CHECK(WIFSIGNALED(run.wait_status));
    // Its end closed the streams that we waited for.
    const Truth truth = read_truth(folder / "truth");
    const Json report = report_json(folder / "t.cow");
    CHECK_FALSE(std::filesystem::exists(folder / "t.cow/recording.json"));
    const std::vector<CopiedPages> processes = read_copied_pages(folder / "t.cow");
    REQUIRE(truth.children.size() == 2);
    for (const ProcessTruth& child : truth.children) {
        const Json summary = find_process(report, child.pid);
        REQUIRE_FALSE(summary.is_null());
        CHECK(summary["census"] == "final");
        CHECK(summary["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
        const CopiedPages& copied = forked_process(processes, child.pid);
        for (const uint64_t page : child.pages) {
            if (!copied.is_copied(page)) FAIL("missing: " << page);
        }
    }
}
