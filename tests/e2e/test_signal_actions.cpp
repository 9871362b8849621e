// What programs do with SIGTRAP stays theirs, by whatever name they do it. They check it
// themselves; that they are right about it is shown by a run without a recorder.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

AccountRun check_as_without(const TemporaryFolder& folder, const std::string& program,
                            const std::string& name) {
    CAPTURE(name);
    RunOptions options;
    options.timeout = kLongestRun;
    const RunResult plain = run_program({program_of_tests(program), name}, options);
    CAPTURE(plain.err);
    REQUIRE_FALSE(plain.timed_out);
    REQUIRE(plain.status() == 0);
    check_children_succeeded(account_from(plain.out), plain);
    AccountRun recorded = record_case(folder, program_of_tests(program), name, Instruments::all);
    CHECK(recorded.report["witness"] == "trap");
    return recorded;
}

}  // namespace

TEST_CASE("SIGTRAP's action is the program's by every name that sets it", "[hostile]") {
    const std::string name =
        GENERATE(std::string("action-by-every-name"), "reset-in-vfork", "handler-flags");
    const TemporaryFolder folder;
    const AccountRun recorded = check_as_without(folder, "signal_actions", name);
    // While the program's own handler runs SIGTRAP is blocked.
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid, Bound::exact, 4);
}

TEST_CASE("the next program finds SIGTRAP as this one had it", "[hostile]") {
    const std::string name = GENERATE(std::string("ignored-over-exec"), "blocked-over-exec");
    const TemporaryFolder folder;
    check_as_without(folder, "signal_actions", name);
}

TEST_CASE("waits that open SIGTRAP end by the program's own signals alone", "[hostile]") {
    const std::string name = GENERATE(std::string("waits-with-a-mask"), "trap-ends-a-wait");
    const TemporaryFolder folder;
    check_as_without(folder, "signal_waits", name);
}

TEST_CASE("a SIGTRAP that somebody sends arrives as it was sent", "[hostile]") {
    const std::string name = GENERATE(std::string("trap-with-a-value"), "trap-stays-pending");
    const TemporaryFolder folder;
    check_as_without(folder, "signal_waits", name);
}

TEST_CASE("what is no memory gets the kernel's own error", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded = check_as_without(folder, "signal_waits", "bad-pointers");
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid, Bound::exact, 4);
}
