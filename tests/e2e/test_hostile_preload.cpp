// Programs beside whose functions other libraries stand, before cowscope's or behind it.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

const std::string kProgram = program_of_tests("hostile_preload");
const std::string kOther = program_of_tests("libother_preload.so");
const std::string kAuditor = program_of_tests("libauditor.so");

Account run_alone(const std::string& name, const std::string& variable) {
    RunOptions options;
    options.environment = {variable};
    const RunResult run = run_program({kProgram, name}, options);
    CAPTURE(run.out, run.err);
    REQUIRE(run.status() == 0);
    return account_from(run.out);
}

AccountRun run_recorded(const std::string& folder, const RunResult& run, Instruments instruments) {
    CAPTURE(run.out, run.err);
    REQUIRE_FALSE(run.timed_out);
    REQUIRE(run.status() == 0);
    AccountRun recorded{account_from(run.out), report_json(folder), instruments, folder};
    check_children_succeeded(recorded.account, run);
    check_consistent(recorded.report);
    return recorded;
}

// Three children and a child of each.
void check_processes(const AccountRun& recorded) {
    CHECK(recorded.account.writers().size() == 6);
    // SIGTRAP is blocked while the program's own handler runs.
    for (const int pid : recorded.account.writers()) {
        CHECK(row_of(recorded, pid)["census"] == "final");
        check_copies(recorded, pid, Bound::exact, 4);
    }
}

}  // namespace

TEST_CASE("what an older C library lacks is made up for", "[hostile]") {
    const std::string kOldLibc = program_of_tests("libold_libc.so");
    const auto [program, name] =
        GENERATE(std::pair("hostile_descriptors", "closefrom"),
                 std::pair("hostile_descriptors", "close-range"), std::pair("fork_ways", "_Fork"),
                 std::pair("asked_descriptors", "fork"));
    CAPTURE(program, name);
    const RunResult alone = run_program({program_of_tests(program), name});
    REQUIRE(alone.status() == 0);
    const TemporaryFolder folder;
    RunOptions options;
    options.timeout = kLongestRun;
    options.environment = {"LD_PRELOAD=" + kOldLibc + ":" + kShim,
                           "COWSCOPE_OUTPUT=" + (folder / "t.cow")};
    const RunResult run = run_program({program_of_tests(program), name}, options);
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    check_consistent(report_json(folder / "t.cow"));
    if (std::string(program) == "asked_descriptors") {
        CHECK(run.out == alone.out);
    } else {
        check_children_succeeded(account_from(run.out), run);
    }
}

TEST_CASE("another preloaded library works as ever, and the program is recorded", "[hostile]") {
    const auto instruments = GENERATE(Instruments::all, Instruments::census_only);
    const std::string order = GENERATE_COPY(kShim + ":" + kOther, kOther + ":" + kShim);
    CAPTURE(order);
    const Account alone = run_alone("preload", "LD_PRELOAD=" + kOther);
    const TemporaryFolder folder;
    RunOptions options;
    options.timeout = kLongestRun;
    options.environment = {"LD_PRELOAD=" + order, "COWSCOPE_OUTPUT=" + (folder / "t.cow")};
    if (instruments == Instruments::census_only) {
        options.environment.emplace_back("COWSCOPE_WITNESS=off");
    }
    const AccountRun recorded =
        run_recorded(folder / "t.cow", run_program({kProgram, "preload"}, options), instruments);
    check_processes(recorded);
    for (const char* name : {"forks", "handlers before", "settings read", "allocates", "clock"}) {
        CAPTURE(name);
        CHECK(recorded.account.figure(name) == alone.figure(name));
        CHECK(alone.figure(name) > 0);
    }
    // Behind cowscope's it learns of cowscope's own, too.
    CHECK(alone.figure("actions") == 6);
    CHECK(recorded.account.figure("actions") >= alone.figure("actions"));
}

TEST_CASE("a library that the caller preloads stays, and the program is recorded", "[hostile]") {
    const TemporaryFolder folder;
    RunOptions options;
    options.timeout = kLongestRun;
    options.environment = {"LD_PRELOAD=" + kOther};
    const AccountRun recorded =
        run_recorded(folder / "t.cow", record(folder / "t.cow", {kProgram, "preload"}, options),
                     Instruments::all);
    check_processes(recorded);
}

TEST_CASE("beside an LD_AUDIT library the program is recorded", "[hostile]") {
    const auto instruments = GENERATE(Instruments::all, Instruments::census_only);
    const Account alone = run_alone("auditor", "LD_AUDIT=" + kAuditor);
    CHECK(alone.writers().size() == 6);
    const TemporaryFolder folder;
    RunOptions options;
    options.timeout = kLongestRun;
    // For the program alone: other programs are not what this is about.
    Words command = {"record", "-o", folder / "t.cow"};
    if (instruments == Instruments::census_only) command = joined(command, {"--witness", "off"});
    command = joined(command, {"--", "/usr/bin/env", "LD_AUDIT=" + kAuditor, kProgram, "auditor"});
    const AccountRun recorded =
        run_recorded(folder / "t.cow", run_cowscope(command, options), instruments);
    CHECK(recorded.account.writers().size() == 6);
    for (const int pid : recorded.account.writers()) {
        const Json row = find_process(recorded.report, pid, "fork");
        REQUIRE_FALSE(row.is_null());
        CHECK(row["census"] == "final");
        check_copies(recorded, pid, Bound::exact, 4);
    }
}
