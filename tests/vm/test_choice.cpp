// What cowscope takes a kernel for, and which tracker it chooses there.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/refused_system_call.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/vm/expectations.h"

using namespace cowscope::e2e;
using namespace cowscope::vm;

namespace {

Words workload() {
    return {kPageWriter, "--pages", "64"};
}

}  // namespace

TEST_CASE("doctor names what works") {
    const RunResult result = run_cowscope({"doctor", "--format", "json"});
    CAPTURE(result.out, result.err);
    const Json doctor = Json::parse(result.out, nullptr, false);
    REQUIRE_FALSE(doctor.is_discarded());
    for (const std::string tracker : {"userfaultfd", "soft-dirty"}) {
        CAPTURE(tracker);
        CHECK(doctor["trackers"][tracker]["ok"] == is_expected(tracker));
        CHECK(doctor["trackers"][tracker]["remedy"].get<std::string>().empty() ==
              is_expected(tracker));
    }
    CHECK(doctor["witnesses"]["trap"]["ok"] == true);
    CHECK(doctor["auto"]["tracker"] == expected_trackers().front());
    CHECK(doctor["auto"]["witness"] == "trap");
    CHECK(doctor["ok"] == true);
    CHECK(result.status() == 0);
}

TEST_CASE("auto takes the best tracker that works") {
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", workload());
    const Json report = report_json(folder / "t.cow");
    CHECK(report["tracker"] == expected_trackers().front());
    CHECK(report["witness"] == "trap");
    CHECK(find_note(report, {"no tracker"}).empty());
}

// As Docker's default profile refuses it.
TEST_CASE("auto takes soft-dirty where userfaultfd is refused") {
    REQUIRE(is_expected("soft-dirty"));
    RunOptions options;
    options.before_exec = refuse_tracker;
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", workload(), options);
    const Json report = report_json(folder / "t.cow");
    CHECK(report["tracker"] == "soft-dirty");
    CHECK(find_process(report, processes_of(report, "fork").at(0)["pid"])["census"] == "final");
}

TEST_CASE("the library alone takes the best tracker that works") {
    const TemporaryFolder folder;
    RunOptions options;
    options.environment = {"LD_PRELOAD=" + kShim, "COWSCOPE_OUTPUT=" + folder / "t.cow"};
    const RunResult run = run_program(workload(), options);
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    const Json report = report_json(folder / "t.cow");
    CHECK(report["tracker"] == expected_trackers().front());
}

TEST_CASE("a tracker that is asked for by name is taken or refused") {
    for (const std::string tracker : {"userfaultfd", "soft-dirty"}) {
        CAPTURE(tracker);
        const TemporaryFolder folder;
        const RunResult run = run_cowscope(
            joined({"record", "--tracker", tracker, "-o", folder / "t.cow", "--"}, workload()));
        CAPTURE(run.err);
        if (is_expected(tracker)) {
            REQUIRE(run.status() == 0);
            CHECK(report_json(folder / "t.cow")["tracker"] == tracker);
        } else {
            check_refusal(run);
            CHECK(contains(run.err, tracker));
        }
    }
}
