// What is reported where the machine does not allow everything, and that nothing needs root.
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/copied_pages.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/memory_growth.h"
#include "tests/e2e/other_user.h"
#include "tests/e2e/refused_system_call.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

struct Recorded {
    RunResult run;
    Truth truth;
    Json report;
    std::vector<CopiedPages> processes;
};

// `cowscope run` of the C++ workload in a process that `before_exec` has prepared.
Recorded run_string_map(const std::function<bool()>& before_exec, const Words& options = {}) {
    const TemporaryFolder folder;
    RunOptions how;
    how.before_exec = before_exec;
    RunResult run = run_cowscope(joined(joined({"run", "-o", folder / "t.cow"}, options),
                                        {"--", kStringMap, "--entries", "50000", "--children", "2",
                                         "--truth", folder / "truth"}),
                                 how);
    CAPTURE(run.out, run.err);
    REQUIRE(run.status() == 0);
    CHECK(contains(run.out, "child 1: read 50000 values"));
    Recorded recorded{std::move(run), read_truth(folder / "truth"), report_json(folder / "t.cow"),
                      read_copied_pages(folder / "t.cow")};
    check_consistent(recorded.report);
    REQUIRE(recorded.truth.children.size() == 2);
    return recorded;
}

void check_every_true_page_is_copied(const Recorded& recorded) {
    for (const ProcessTruth& truth : recorded.truth.children) {
        const CopiedPages& child = forked_process(recorded.processes, truth.pid);
        uint64_t missing = 0;
        for (const uint64_t page : truth.pages) missing += child.is_copied(page) ? 0 : 1;
        CAPTURE(truth.pid, truth.pages.size());
        REQUIRE(truth.pages.size() > 1000);
        CHECK(missing == 0);
        const Json process = find_process(recorded.report, truth.pid);
        CHECK(process["census"] == "final");
        CHECK(process["copied_pages"] >= truth.pages.size());
        check_memory_growth(process);
    }
}

}  // namespace

TEST_CASE("without permission for the witness there is still the census", "[permissions]") {
    const Recorded recorded = run_string_map(refuse_witness);
    CHECK(recorded.report["tracker"] == "userfaultfd");
    CHECK(recorded.report["witness"] == "off");
    check_every_true_page_is_copied(recorded);

    const Json& totals = recorded.report["totals"];
    CHECK(totals["witnessed_pages"] == 0);
    CHECK(totals["explained"] == 0.0);
    CHECK(totals["lost_events"] == 0);
    REQUIRE(recorded.report["causes"].size() == 1);
    CHECK(recorded.report["causes"][0]["cause"] == "unknown");
    CHECK(recorded.report["causes"][0]["pages"] == totals["copied_pages"]);
    // What is missing and what to do, in the trace and on the terminal.
    CHECK_FALSE(find_note(recorded.report, {"no witness", "to allow it"}).empty());
    CHECK(contains(recorded.run.err, "no witness"));
    CHECK(contains(recorded.run.err, "to allow it"));
    CHECK(contains(recorded.run.err, "perf_event_open"));
    CHECK(contains(recorded.run.err, "unknown"));
}

TEST_CASE("doctor shows that the witness is not allowed", "[permissions]") {
    RunOptions options;
    options.before_exec = refuse_witness;
    const RunResult text = run_cowscope({"doctor"}, options);
    CAPTURE(text.out);
    CHECK(text.status() == 1);
    CHECK(contains(text.out, "perf_event_open"));
    CHECK(contains(text.out, "to allow it: "));
    const RunResult json = run_cowscope({"doctor", "--format", "json"}, options);
    CHECK(json.status() == 1);
    const Json report = Json::parse(json.out);
    CHECK(report["ok"] == false);
    CHECK(report["auto"] == Json({{"tracker", "userfaultfd"}, {"witness", "off"}}));
    CHECK(report["trackers"]["userfaultfd"]["ok"] == true);
    CHECK(report["witnesses"]["trap"]["ok"] == false);
    CHECK_FALSE(report["witnesses"]["trap"]["reason"].get<std::string>().empty());
    CHECK_FALSE(report["witnesses"]["trap"]["remedy"].get<std::string>().empty());
}

TEST_CASE("without permission for the tracker the program runs, and notes say so",
          "[permissions]") {
    const Recorded recorded = run_string_map(refuse_tracker);
    CHECK(recorded.report["tracker"] == "off");
    CHECK(processes_of(recorded.report, "fork").size() == 2);
    CHECK_FALSE(find_note(recorded.report, {"no tracker", "to allow it"}).empty());
    CHECK(contains(recorded.run.err, "no tracker"));
    CHECK(contains(recorded.run.err, "to allow it"));
    CHECK(contains(recorded.run.err, "userfaultfd"));
    for (const Json& process : processes_of(recorded.report, "fork")) {
        CHECK(process["census"] == "none");
        CHECK(process["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
    }
    // Nothing is claimed that no instrument saw: what a child alone has of its parent's pages, its
    // pagemap tells without a tracker.
    constexpr uint64_t kOfLibc = 16;
    CHECK(pages_of_cause(recorded.report, "kernel") <= kOfLibc);
}

TEST_CASE("doctor shows that the tracker is not allowed", "[permissions]") {
    RunOptions options;
    options.before_exec = refuse_tracker;
    const RunResult text = run_cowscope({"doctor"}, options);
    CAPTURE(text.out);
    CHECK(text.status() == 1);
    CHECK(contains(text.out, "tracker userfaultfd   missing"));
    CHECK(contains(text.out, "to allow it: "));
    const RunResult json = run_cowscope({"doctor", "--format", "json"}, options);
    CHECK(json.status() == 1);
    const Json report = Json::parse(json.out);
    CHECK(report["ok"] == false);
    CHECK(report["trackers"]["userfaultfd"]["ok"] == false);
    CHECK_FALSE(report["trackers"]["userfaultfd"]["remedy"].get<std::string>().empty());
}

TEST_CASE("asking by name for what is not allowed is refused with the reason", "[permissions]") {
    const TemporaryFolder folder;
    const Words program = {"--", "/bin/echo", "ran"};
    RunOptions options;
    options.folder = folder.path().string();
    options.before_exec = refuse_witness;
    const RunResult witness = run_cowscope(joined({"run", "--witness", "trap"}, program), options);
    check_refusal(witness);
    CHECK(contains(witness.err, "--witness trap"));
    CHECK(contains(witness.err, "to allow it: "));
    options.before_exec = refuse_tracker;
    const RunResult tracker =
        run_cowscope(joined({"record", "--tracker", "userfaultfd"}, program), options);
    check_refusal(tracker);
    CHECK(contains(tracker.err, "--tracker userfaultfd"));
    CHECK(contains(tracker.err, "to allow it: "));
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("the library alone bears what is not allowed", "[permissions]") {
    const bool without_witness = GENERATE(true, false);
    CAPTURE(without_witness);
    const TemporaryFolder folder;
    RunOptions options;
    options.before_exec = without_witness ? refuse_witness : refuse_tracker;
    options.environment = {"LD_PRELOAD=" + kShim, "COWSCOPE_OUTPUT=" + (folder / "t.cow")};
    const RunResult run = run_program({kPageWriter, "--children", "2"}, options);
    CHECK(run.status() == 0);
    CHECK(run.err.empty());
    const Truth truth = truth_from(run.out);
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    CHECK(report["witness"] == (without_witness ? "off" : "trap"));
    CHECK(report["tracker"] == (without_witness ? "userfaultfd" : "off"));
    CHECK_FALSE(
        find_note(report, {without_witness ? "no witness" : "no tracker", "doctor"}).empty());
    for (const ProcessTruth& child : truth.children) {
        const Json process = find_process(report, child.pid);
        REQUIRE_FALSE(process.is_null());
        CHECK(process["copied_pages"] >= child.pages.size());
    }
}

TEST_CASE("an instrument that is turned off is not missed", "[permissions]") {
    SECTION("the witness") {
        const Recorded recorded = run_string_map(nullptr, {"--witness", "off"});
        CHECK(recorded.report["tracker"] == "userfaultfd");
        CHECK(recorded.report["witness"] == "off");
        check_every_true_page_is_copied(recorded);
        CHECK(find_note(recorded.report, {"to allow it"}).empty());
    }
    SECTION("both") {
        const Recorded recorded = run_string_map(nullptr, {"--witness", "off", "--tracker", "off"});
        CHECK(recorded.report["tracker"] == "off");
        CHECK(recorded.report["witness"] == "off");
        CHECK(recorded.report["totals"]["copied_pages"] == 0);
        CHECK(find_note(recorded.report, {"to allow it"}).empty());
    }
}

TEST_CASE("an unprivileged user gets whatever doctor promises", "[permissions]") {
    const OtherUser user;
    const TemporaryFolder folder;
    REQUIRE(user.give(folder.path()));
    RunOptions options;
    options.folder = folder.path().string();
    options.before_exec = [&] { return user.become(); };

    const RunResult doctor = run_program({user.cowscope(), "doctor", "--format", "json"}, options);
    const Json allowed = Json::parse(doctor.out);
    CHECK(allowed["user_id"] == user.id());
    CHECK((doctor.status() == 0) == allowed["ok"].get<bool>());

    const RunResult run = run_program(
        {user.cowscope(), "run", "-o", "t.cow", "--", user.page_writer(), "--children", "2"},
        options);
    CAPTURE(run.out, run.err);
    REQUIRE(run.status() == 0);
    const Truth truth = truth_from(run.out);
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    CHECK(report["tracker"] == allowed["auto"]["tracker"]);
    CHECK(report["witness"] == allowed["auto"]["witness"]);
    CHECK(find_note(report, {"to allow it"}).empty() == allowed["ok"].get<bool>());
    const bool witnessed = report["witness"] == "trap";
    const std::vector<CopiedPages> processes = read_copied_pages(folder / "t.cow");
    for (const ProcessTruth& child : truth.children) {
        const CopiedPages& copied = forked_process(processes, child.pid);
        for (const uint64_t page : child.pages) {
            if (report["tracker"] != "off" && !copied.is_copied(page)) FAIL("missing: " << page);
            if (witnessed && copied.cause_of(page) != "store") FAIL("no cause: " << page);
        }
    }

    // Nobody else reads what a process had in its memory.
    struct stat status {};
    REQUIRE(stat((folder / "t.cow").c_str(), &status) == 0);
    CHECK(status.st_uid == user.id());
    CHECK((status.st_mode & 0777) == 0700);
    size_t segments = 0;
    for (const auto& entry : fs::directory_iterator(folder / "t.cow")) {
        REQUIRE(stat(entry.path().c_str(), &status) == 0);
        CHECK(status.st_uid == user.id());
        CHECK((status.st_mode & 0777) == 0600);
        segments += entry.path().extension() == ".cowseg" ? 1 : 0;
    }
    CHECK(segments == 3);
}
