// Programs that take away what the shim may need. They go on as ever; what is recorded depends on
// what is left.
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

const std::string kLimits = program_of_tests("hostile_limits");

}  // namespace

TEST_CASE("limits that the shim does not need change nothing", "[hostile]") {
    const std::string name = GENERATE(std::string("locked-memory"), "stack", "signals-queued");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kLimits, name, Instruments::all);
    CHECK(recorded.report["notes"].empty());
    // Parents copy what their children have not, and children of others share with two.
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid, Bound::at_most);
    CHECK(recorded.account.writers().size() == 5);
}

TEST_CASE("with no room for memory or files the program goes on", "[hostile]") {
    const std::string name =
        GENERATE(std::string("file-size"), "file-size-small", "address-space", "data");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kLimits, name, any_instruments());
    CHECK(recorded.account.writers().size() == 5);
    for (const Json& note : recorded.report["notes"]) {
        CHECK_FALSE(contains(note.get<std::string>(), "damaged"));
    }
}

TEST_CASE("rights that are dropped cost at most what they were for", "[hostile]") {
    if (geteuid() != 0) {
        WARN("SKIPPED: only root can drop its rights");
        return;
    }
    const std::string name = GENERATE(std::string("not-dumpable"), "drop-rights", "change-root");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kLimits, name, Instruments::all);
    CHECK_FALSE(recorded.account.writers().empty());
    for (const int pid : recorded.account.writers()) {
        if (find_process(recorded.report, pid, "fork").is_null()) continue;
        check_copies(recorded, pid, Bound::at_most);
    }
}

TEST_CASE("system calls that fail cost only what they are for", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kLimits, "calls-refused", any_instruments());
    CHECK(recorded.account.writers().size() == 5);
}

TEST_CASE("where a filter would kill for what the shim calls, it leaves", "[hostile]") {
    const std::string name =
        GENERATE(std::string("calls-deadly-before-fork"), "looks-deadly-before-fork",
                 "calls-deadly-after-fork", "strict");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kLimits, name, any_instruments());
    CHECK_FALSE(find_note(recorded.report, {"seccomp filter kills"}).empty());
    if (name == "strict") {
        CHECK(WEXITSTATUS(static_cast<int>(recorded.account.figure("status"))) == 7);
        // What was copied before is counted.
        REQUIRE(recorded.account.writers().size() == 1);
        check_copies(recorded, *recorded.account.writers().begin());
    }
}
