// Forks beside threads that are in the middle of something.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

TEST_CASE("forks beside threads that allocate, load, throw or fork are recorded", "[hostile]") {
    const std::string name = GENERATE(std::string("malloc"), "dlopen", "throw", "fork");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded =
        check_case(folder, program_of_tests("hostile_threads"), name, any_instruments());
    CHECK(recorded.account.writers().size() == 60);
    for (const Json& process : recorded.report["processes"]) {
        CHECK(process["census"] == "final");
        // A thread that forks has signals blocked inside libc, and writes its stack; another's fork
        // may share that anew at this very moment.
        const size_t most = name == "fork" && process["role"] == "root" ? 60 : 0;
        CHECK(process["lost_events"] <= most);
    }
}

TEST_CASE("what threads write while their process forks is counted from the fork on", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_case(folder, program_of_tests("hostile_threads"), "writers", Instruments::all);
    const uint64_t written = static_cast<uint64_t>(recorded.account.figure("pages of writers"));
    const Json root = processes_of(recorded.report, "root").at(0);
    CHECK(root["lost_events"] == 0);
    CHECK(root["copied_pages"] >= written);
    // Of stacks, and of what the main thread writes between two forks.
    CHECK(root["copied_pages"] <= written + 4 * 32);
}
