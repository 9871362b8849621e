// Programs beside a debugger or under valgrind, really run by both: they do what they do without
// cowscope, and the report says why nobody was witnessed.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

Words under_gdb(const std::string& trace) {
    return {"gdb", "-batch", "-nx", "-ex", "set startup-with-shell off", "-ex",
            "set environment LD_PRELOAD " + kShim, "-ex",
            "set environment COWSCOPE_OUTPUT " + trace, "-ex", "run",
            // Its status is that of the program.
            "-ex", "quit $_exitcode", "--args"};
}

Words under_valgrind(const std::string& trace, const std::string& tool) {
    return {"env",
            "LD_PRELOAD=" + kShim,
            "COWSCOPE_OUTPUT=" + trace,
            "valgrind",
            "-q",
            "--error-exitcode=77",
            "--tool=" + tool};
}

void check_no_witness(const std::string& trace) {
    const Json report = report_json(trace);
    CAPTURE(report["notes"].dump(1));
    CHECK_FALSE(find_note(report, {"no witness beside a debugger"}).empty());
}

const Words kForking = {kPageWriter, "--pages", "64"};

}  // namespace

TEST_CASE("a debugger is not stopped by the witness", "[hostile]") {
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    const RunResult run = run_program(joined(under_gdb(trace), kForking));
    CAPTURE(run.out, run.err);
    CHECK(run.status() == 0);
    CHECK(contains(run.out, "exited normally"));
    CHECK_FALSE(contains(run.out, "SIGTRAP"));
    check_no_witness(trace);
}

TEST_CASE("a program under valgrind runs to its end", "[hostile]") {
    const std::string tool = GENERATE(std::string("memcheck"), "none");
    CAPTURE(tool);
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    const RunResult alone = run_program(joined(under_valgrind(trace, tool), {"/bin/true"}));
    CAPTURE(alone.err);
    CHECK(alone.status() == 0);
    CHECK(alone.err.empty());
    const RunResult run = run_program(joined(under_valgrind(trace, tool), kForking));
    CAPTURE(run.err);
    CHECK(run.status() == 0);
    // Valgrind has found nothing to say.
    CHECK(run.err.empty());
    check_no_witness(trace);
}
