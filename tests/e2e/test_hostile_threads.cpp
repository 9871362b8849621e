// Forks beside threads that are in the middle of something.
#include <sys/resource.h>
#include <unistd.h>

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
        CHECK(process["lost_events"] == 0);
    }
}

// A spinning thread that goes before the one that it waits for gets there when the kernel's own
// guard stops it, which is once a second (sysctl kernel.sched_rt_runtime_us): the run would not end
// in time.
TEST_CASE("a thread that goes before all others does not wait for ever", "[hostile]") {
    rlimit most{};
    getrlimit(RLIMIT_RTPRIO, &most);
    if (geteuid() != 0 && most.rlim_cur < 10) {
        WARN("SKIPPED: this user may not start threads of SCHED_FIFO");
        return;
    }
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_case(folder, program_of_tests("hostile_threads"), "real-time", Instruments::all);
    REQUIRE(recorded.account.writers().size() == 1);
    // glibc blocks all signals while a thread starts.
    check_copies(recorded, *recorded.account.writers().begin(), Bound::exact, 2);
}
