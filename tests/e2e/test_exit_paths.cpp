// Every way in which a process can come into being and end: its copies are the pages that it wrote.
#include <sys/wait.h>

#include <csignal>
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

struct Recorded {
    Truth truth;
    Json report;
    std::vector<CopiedPages> processes;
};

Recorded record_page_writer(const Words& options) {
    const TemporaryFolder folder;
    const RunResult run = record_successfully(folder / "t.cow", joined({kPageWriter}, options));
    Recorded recorded{truth_from(run.out), report_json(folder / "t.cow"),
                      read_copied_pages(folder / "t.cow")};
    check_consistent(recorded.report);
    return recorded;
}

// Of the memory that the program wrote in, exactly the pages of the truth were copied.
void check_copies(const Recorded& recorded, const ProcessTruth& truth, bool by_store = true) {
    const CopiedPages& process = forked_process(recorded.processes, truth.pid);
    uint64_t missing = 0;
    uint64_t unwitnessed = 0;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < recorded.truth.region_pages; ++i) {
        const uint64_t page = recorded.truth.region_start + i * kPageBytes;
        const bool is_true = truth.pages.count(page) != 0;
        if (is_true && !process.is_copied(page)) ++missing;
        if (!is_true && process.is_copied(page)) ++wrong;
        if (is_true && by_store && process.cause_of(page) != "store") ++unwitnessed;
    }
    CAPTURE(truth.pid, truth.pages.size());
    CHECK(missing == 0);
    CHECK(wrong == 0);
    CHECK(unwitnessed == 0);
}

Json check_child(const Recorded& recorded, const ProcessTruth& truth, const std::string& exit_kind,
                 int exit_value, const std::string& census, uint64_t most_lost = 0) {
    const Json child = find_process(recorded.report, truth.pid);
    CAPTURE(recorded.report["processes"].dump(1), truth.pid);
    REQUIRE_FALSE(child.is_null());
    CHECK(child["parent"] == truth.parent);
    CHECK(child["exit"]["kind"] == exit_kind);
    CHECK(child["exit"]["value"] == exit_value);
    // Where none was taken at the end, the recorder may have looked at it before.
    CHECK((child["census"] == census || (census == "none" && child["census"] == "last")));
    CHECK(child["copied_pages"] >= truth.pages.size());
    CHECK(child["lost_events"] <= most_lost);
    CHECK(child["end_ns"] > child["start_ns"]);
    return child;
}

}  // namespace

TEST_CASE("a child's last census is taken however it exits", "[exit]") {
    const std::string fork = GENERATE(std::string("fork"), "_Fork", "clone");
    const std::string end = GENERATE(std::string("return"), "exit", "_exit", "_Exit", "quick_exit");
    CAPTURE(fork, end);
    const Recorded recorded = record_page_writer(
        {"--fork", fork, "--end", end, "--status", "7", "--children", "2", "--fresh", "40"});

    REQUIRE(recorded.truth.children.size() == 2);
    for (const ProcessTruth& truth : recorded.truth.children) {
        REQUIRE(WIFEXITED(truth.wait_status));
        REQUIRE(WEXITSTATUS(truth.wait_status) == 7);
        REQUIRE(truth.pages.size() == 384);
        const Json child = check_child(recorded, truth, "exit", 7, "final");
        CHECK(child["fresh_pages"] >= 40);
        CHECK(child["parent"] == recorded.truth.parent.pid);
        check_copies(recorded, truth);
    }
    CHECK(recorded.report["totals"]["lost_events"] == 0);
    CHECK(processes_of(recorded.report, "fork").size() == 2);
    CHECK(processes_of(recorded.report, "exec").empty());
    const std::vector<Json> roots = processes_of(recorded.report, "root");
    REQUIRE(roots.size() == 1);
    CHECK(roots[0]["pid"] == recorded.truth.parent.pid);
    CHECK(roots[0]["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
}

TEST_CASE("no write is lost wherever a fork finds the stack", "[exit]") {
    const std::string fork = GENERATE(std::string("fork"), "_Fork", "clone");
    CAPTURE(fork);
    // Together the steps go once through a page.
    const Recorded recorded = record_page_writer(
        {"--fork", fork, "--children", "64", "--stack-step", "64", "--pages", "16"});
    std::string losers;
    for (const Json& process : recorded.report["processes"]) {
        if (process["lost_events"] != 0) {
            losers += process["role"].get<std::string>() + " " + process["pid"].dump() + " lost " +
                      process["lost_events"].dump() + "; ";
        }
    }
    CHECK(losers == "");
    CHECK(recorded.truth.children.size() == 64);
    for (const ProcessTruth& truth : recorded.truth.children) check_copies(recorded, truth);
}

TEST_CASE("a child's last census is taken before it becomes another program", "[exit]") {
    const std::string end = GENERATE(std::string("execv"), "execve", "execvp", "execvpe", "execl",
                                     "execlp", "execle", "fexecve", "execveat");
    CAPTURE(end);
    const Recorded recorded = record_page_writer({"--end", end});
    const ProcessTruth& truth = recorded.truth.children.at(0);
    REQUIRE(truth.wait_status == 0);
    check_child(recorded, truth, "exec", 0, "final");
    check_copies(recorded, truth);

    const Json image = find_process(recorded.report, truth.pid, "exec");
    REQUIRE_FALSE(image.is_null());
    CHECK(contains(image["command"].get<std::string>(), "true"));
    CHECK(image["copied_pages"] == 0);
    CHECK(image["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
}

TEST_CASE("a program that is started without our environment costs only its own image", "[exit]") {
    const std::string end =
        GENERATE(std::string("execve-empty"), "clearenv-execv", "clearenv-execvp");
    CAPTURE(end);
    const Recorded recorded = record_page_writer({"--end", end});
    const ProcessTruth& truth = recorded.truth.children.at(0);
    REQUIRE(truth.wait_status == 0);
    check_child(recorded, truth, "exec", 0, "final");
    check_copies(recorded, truth);
    CHECK(recorded.report["processes"].size() == 2);
}

TEST_CASE("a signal's default action ends a child after its last census", "[exit]") {
    const std::string end = GENERATE(std::string("raise"), "raised");
    const int signal = GENERATE(SIGTERM, SIGINT, SIGHUP);
    const std::string fork = GENERATE(std::string("fork"), "clone");
    CAPTURE(end, signal, fork);
    const Recorded recorded =
        record_page_writer({"--end", end, "--signal", std::to_string(signal), "--fork", fork});
    const ProcessTruth& truth = recorded.truth.children.at(0);
    REQUIRE(WIFSIGNALED(truth.wait_status));
    REQUIRE(WTERMSIG(truth.wait_status) == signal);
    check_child(recorded, truth, "signal", signal, "final");
    check_copies(recorded, truth);
}

TEST_CASE("a program's own handler for SIGTERM is its own", "[exit]") {
    const Recorded recorded = record_page_writer({"--end", "handled", "--status", "5"});
    const ProcessTruth& truth = recorded.truth.children.at(0);
    REQUIRE(WIFEXITED(truth.wait_status));
    REQUIRE(WEXITSTATUS(truth.wait_status) == 5);
    check_child(recorded, truth, "exit", 5, "final");
    check_copies(recorded, truth);
}

TEST_CASE("a crash keeps every copy that was witnessed", "[exit]") {
    const int signal = GENERATE(SIGABRT, SIGSEGV, SIGQUIT);
    CAPTURE(signal);
    const Recorded recorded =
        record_page_writer({"--end", "raise", "--signal", std::to_string(signal)});
    const ProcessTruth& truth = recorded.truth.children.at(0);
    REQUIRE(WIFSIGNALED(truth.wait_status));
    REQUIRE(WTERMSIG(truth.wait_status) == signal);
    check_child(recorded, truth, "unknown", 0, "none");
    check_copies(recorded, truth);
    CHECK_FALSE(find_note(recorded.report, {std::to_string(truth.pid), "missing"}).empty());
}

TEST_CASE("a child's child is watched like a child", "[exit]") {
    const Recorded recorded = record_page_writer({"--fork", "nested"});
    const ProcessTruth& truth = recorded.truth.children.at(0);
    REQUIRE(truth.wait_status == 0);
    CHECK(truth.parent != recorded.truth.parent.pid);
    check_child(recorded, truth, "exit", 0, "final");
    check_copies(recorded, truth);

    const Json between = find_process(recorded.report, truth.parent);
    REQUIRE_FALSE(between.is_null());
    CHECK(between["parent"] == recorded.truth.parent.pid);
    CHECK(between["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
    CHECK(between["copied_pages"] < 64);
}

TEST_CASE("a spawned program shares no memory, so nothing is copied", "[exit]") {
    const std::string fork = GENERATE(std::string("vfork"), "posix_spawn");
    CAPTURE(fork);
    const Recorded recorded = record_page_writer({"--fork", fork});
    const ProcessTruth& truth = recorded.truth.children.at(0);
    REQUIRE(truth.wait_status == 0);
    CHECK(processes_of(recorded.report, "fork").empty());
    CHECK_FALSE(find_process(recorded.report, truth.pid, "exec").is_null());
    CHECK(recorded.report["totals"]["copied_pages"] == 0);
    const Json root = processes_of(recorded.report, "root").at(0);
    CHECK(root["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
}

TEST_CASE("writes of a child's threads are witnessed", "[exit]") {
    const Recorded recorded = record_page_writer({"--write", "threads", "--pages", "2048"});
    const ProcessTruth& truth = recorded.truth.children.at(0);
    REQUIRE(truth.wait_status == 0);
    REQUIRE(truth.pages.size() == 1536);
    // glibc blocks SIGTRAP while it starts each of the two threads, and may then copy a page of its
    // own data.
    constexpr uint64_t kMostLost = 2;
    check_child(recorded, truth, "exit", 0, "final", kMostLost);
    check_copies(recorded, truth);
}

TEST_CASE("pages that the kernel writes for the program are copies", "[exit]") {
    const Recorded recorded = record_page_writer({"--write", "read"});
    const ProcessTruth& truth = recorded.truth.children.at(0);
    REQUIRE(truth.wait_status == 0);
    const Json child = check_child(recorded, truth, "exit", 0, "final");
    check_copies(recorded, truth, false);
    CHECK(pages_of_cause(recorded.report, "kernel") >= truth.pages.size());
    // Nobody saw who wrote them.
    CHECK(recorded.report["totals"]["explained"] < 0.5);
}

TEST_CASE("pages that are only looked at are no copies", "[exit]") {
    const Recorded recorded = record_page_writer({"--write", "look"});
    const ProcessTruth& truth = recorded.truth.children.at(0);
    REQUIRE(truth.pages.empty());
    check_child(recorded, truth, "exit", 0, "final");
    check_copies(recorded, truth);
}

TEST_CASE("writes while SIGTRAP is blocked are counted as lost, and their pages are there",
          "[exit]") {
    const Recorded recorded = record_page_writer({"--write", "blocked"});
    const ProcessTruth& truth = recorded.truth.children.at(0);
    REQUIRE(truth.wait_status == 0);
    const Json child = find_process(recorded.report, truth.pid);
    REQUIRE_FALSE(child.is_null());
    CHECK(child["census"] == "final");
    CHECK(child["lost_events"] >= 1);
    check_copies(recorded, truth, false);
    const CopiedPages& process = forked_process(recorded.processes, truth.pid);
    for (const uint64_t page : truth.pages) {
        if (!process.cause_of(page).empty()) FAIL("attributed: " << page);
    }
    CHECK_FALSE(find_note(recorded.report, {std::to_string(truth.pid), "SIGTRAP"}).empty());
}

TEST_CASE("the parent's writes are copies while a child shares its pages", "[exit]") {
    const Recorded recorded = record_page_writer({"--parent-writes", "--pages", "2048"});
    const ProcessTruth& child = recorded.truth.children.at(0);
    const ProcessTruth& parent = recorded.truth.parent;
    REQUIRE(child.wait_status == 0);
    REQUIRE(parent.pages.size() == 512);
    REQUIRE(parent.later_pages.size() == 512);
    check_child(recorded, child, "exit", 0, "final");
    check_copies(recorded, child);

    const CopiedPages& root = root_process(recorded.processes);
    for (const uint64_t page : parent.pages) {
        if (root.cause_of(page) != "store") FAIL("no copy of the parent's: " << page);
    }
    // A few pages of its stack and libraries are copied, too; what it wrote alone is not.
    constexpr uint64_t kOwnPages = 64;
    const Json summary = processes_of(recorded.report, "root").at(0);
    CHECK(summary["copied_pages"] >= parent.pages.size());
    CHECK(summary["copied_pages"] <= parent.pages.size() + kOwnPages);
}

TEST_CASE("string_map's children are complete however they exit", "[exit]") {
    const std::string how = GENERATE(std::string("exit"), "_exit", "quick_exit", "return");
    CAPTURE(how);
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {kStringMap, "--entries", "5000", "--children", "2",
                                           "--child-exit", how, "--truth", folder / "truth"});
    const Truth truth = read_truth(folder / "truth");
    const Json report = report_json(folder / "t.cow");
    const std::vector<CopiedPages> processes = read_copied_pages(folder / "t.cow");
    REQUIRE(truth.children.size() == 2);
    for (const ProcessTruth& child : truth.children) {
        const Json process = find_process(report, child.pid);
        REQUIRE_FALSE(process.is_null());
        CHECK(process["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
        CHECK(process["census"] == "final");
        const CopiedPages& copied = forked_process(processes, child.pid);
        REQUIRE(child.pages.size() > 50);
        for (const uint64_t page : child.pages) {
            if (!copied.is_copied(page)) FAIL("missing: " << page);
        }
    }
}
