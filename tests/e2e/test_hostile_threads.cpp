// Forks beside threads that are in the middle of something.
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

// Needs root or RLIMIT_RTPRIO, and a control group that has time for such threads.
bool may_go_before_others() {
    bool may = false;
    std::thread([&] {
        const sched_param urgent{10};
        may = sched_setscheduler(0, SCHED_FIFO, &urgent) == 0;
    }).join();
    return may;
}

}  // namespace

TEST_CASE("forks beside threads that allocate, load, throw or fork are recorded", "[hostile]") {
    const std::string name = GENERATE(std::string("malloc"), "dlopen", "throw", "fork");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded =
        check_case(folder, program_of_tests("hostile_threads"), name, any_instruments());
    CHECK(recorded.account.writers().size() == 60);
    for (const Json& process : recorded.report["processes"]) {
        CHECK(process["census"] == "final");
        // Its three threads may still be starting at the first forks. A thread that forks has
        // signals blocked inside libc, and writes its stack; another's fork may share that anew at
        // this very moment.
        const size_t most_of_root = name == "fork" ? 60 : 3 * kLostAThread;
        CHECK(process["lost_events"] <= (process["role"] == "root" ? most_of_root : 0));
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

// At any time, as they have it (pthread_setcanceltype(3), PTHREAD_CANCEL_ASYNCHRONOUS).
TEST_CASE("threads that are cancelled while they write leave nothing locked", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_case(folder, program_of_tests("hostile_threads"), "cancel", Instruments::all);
    CHECK(recorded.account.writers().size() == 40);
    for (const int pid : recorded.account.writers()) {
        const Json row = row_of(recorded, pid);
        CAPTURE(row.dump(1));
        CHECK(row["census"] == "final");
        // glibc blocks all signals while a thread starts.
        CHECK(row["lost_events"] <= 2);
        const uint64_t copied = recorded.account.count(pid, "copied");
        CHECK(row["copied_pages"] >= copied);
        CHECK(row["copied_pages"] <= copied + 1 + kOtherCopies);
    }
}

// A thread that spins and goes before the one that it waits for gets there when the kernel's own
// guard stops it, which is once a second (sysctl kernel.sched_rt_runtime_us).
TEST_CASE("a thread that goes before all others does not wait for ever", "[hostile]") {
    if (!may_go_before_others()) {
        WARN("SKIPPED: this user may not start threads of SCHED_FIFO here");
        return;
    }
    const Words program = {program_of_tests("hostile_threads"), "real-time"};
    using Clock = std::chrono::steady_clock;
    using Seconds = std::chrono::duration<double>;
    const auto time_of = [](const auto& run) {
        const Clock::time_point start = Clock::now();
        run();
        return Seconds(Clock::now() - start);
    };
    const Seconds alone_time = time_of([&] { REQUIRE(run_program(program).status() == 0); });
    // The fastest of three: a machine that stands still for a while is no fault of the recording.
    const TemporaryFolder folder;
    RunResult run;
    Seconds recorded_time = Seconds::max();
    for (int i = 0; i < 3 && recorded_time >= 12 * alone_time; ++i) {
        fs::remove_all(folder / "t.cow");
        recorded_time = std::min(
            recorded_time,
            time_of([&] { run = record_account(folder / "t.cow", program, Instruments::all); }));
    }
    CAPTURE(run.err, recorded_time.count(), alone_time.count());
    REQUIRE(run.status() == 0);
    CHECK(recorded_time < 12 * alone_time);
    const AccountRun recorded{account_from(run.out), report_json(folder / "t.cow"),
                              Instruments::all, folder / "t.cow"};
    REQUIRE(recorded.account.writers().size() == 1);
    // glibc blocks all signals while a thread starts.
    check_copies(recorded, *recorded.account.writers().begin(), Bound::exact, 2);
}

// Nobody can be told of such writes: the census has the pages, and says that their events are lost.
TEST_CASE("what threads write that block all signals is counted, and told as lost", "[hostile]") {
    const std::string name = GENERATE(std::string("before"), "after", "child");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_case(folder, program_of_tests("blocked_threads"), name, Instruments::all);
    REQUIRE(recorded.account.writers().size() == 1);
    const int pid = *recorded.account.writers().begin();
    const Json row = row_of(recorded, pid);
    const uint64_t copied = recorded.account.count(pid, "copied");
    CAPTURE(row.dump(1));
    CHECK(row["copied_pages"] >= copied);
    CHECK(row["copied_pages"] <= copied + kOtherCopies);
    CHECK(row["lost_events"] >= copied - 16);
    CHECK(row["lost_events"] <= copied + kOtherCopies);
    const Json own = report_json(recorded.folder, {"--process", std::to_string(pid)});
    CHECK(pages_of_cause(own, "unknown") >= copied - 16);
    CHECK(pages_of_cause(own, "kernel") <= kOtherCopies);
}
