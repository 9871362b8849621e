// Programs with signal handlers and stacks of their own. That their signals are theirs alone they
// check themselves.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

const std::string kSignals = program_of_tests("hostile_signals");

}  // namespace

TEST_CASE("a program that uses SIGTRAP itself gets its own, and is witnessed", "[hostile]") {
    const std::string name =
        GENERATE(std::string("trap-handled-before"), "trap-handled-after", "trap-ignored");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kSignals, name, Instruments::all);
    // While the program's own handler runs SIGTRAP is blocked.
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid, Bound::exact, 4);
}

TEST_CASE("a SIGTRAP that is to end a child ends it", "[hostile]") {
    const TemporaryFolder folder;
    record_case(folder, kSignals, "trap-by-default", any_instruments());
}

TEST_CASE("a program that waits for SIGTRAP gets its own alone", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kSignals, "trap-waited-for", Instruments::all);
    for (const int pid : recorded.account.writers()) {
        CHECK(row_of(recorded, pid)["copied_pages"] >= recorded.account.count(pid, "copied"));
    }
}

TEST_CASE("a program's own faults and alternate stacks stay as they are", "[hostile]") {
    const std::string name =
        GENERATE(std::string("segv-handled"), "segv-on-alternate-stack",
                 "alternate-stack-after-fork", "on-stack-without-one", "fork-in-handler");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kSignals, name, any_instruments());
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid);
}

TEST_CASE("writes from small stacks are witnessed, and nothing beside them changes", "[hostile]") {
    const std::string name = GENERATE(std::string("coroutine-64k"), "coroutine-8k", "coroutine-4k",
                                      "small-thread-stack");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kSignals, name, Instruments::all);
    // glibc blocks all signals while a thread starts.
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid, Bound::exact, 2);
}

TEST_CASE("stacks that do not look as their tables say are no harm", "[hostile]") {
    const std::string name = GENERATE(std::string("beside-a-hole"), "anywhere", "at-data",
                                      "at-the-end-of-memory", "before-what-is-hidden");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_case(folder, program_of_tests("hostile_stacks"), name, any_instruments());
    CHECK(recorded.account.writers().size() == (name == "anywhere" ? 9 : 1));
    for (const int pid : recorded.account.writers()) {
        const Json row = row_of(recorded, pid);
        CAPTURE(row.dump(1));
        CHECK(row["census"] == "final");
        CHECK(row["lost_events"] == 0);
        const uint64_t copied = recorded.account.count(pid, "copied");
        CHECK(row["copied_pages"] >= copied);
        CHECK(row["copied_pages"] <= copied + kOtherCopies);
        if (recorded.instruments != Instruments::all) continue;
        const Json own = report_json(recorded.folder, {"--process", std::to_string(pid)});
        CHECK(pages_of_function(own, "store_with_frame") == copied);
    }
}

TEST_CASE("a stack that was reserved before the fork is walked", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, program_of_tests("hostile_stacks"),
                                            "reserved-before", Instruments::all);
    REQUIRE(recorded.account.writers().size() == 1);
    const int pid = *recorded.account.writers().begin();
    const Json own = report_json(recorded.folder, {"--process", std::to_string(pid)});
    uint64_t pages = 0;
    for (const Json& site : own["sites"]) {
        if (!contains(site["stack"].dump(), "write_in_fiber")) continue;
        CAPTURE(site.dump(1));
        CHECK(contains(site["stack"].dump(), "run_fiber"));
        pages += site["pages"].get<uint64_t>();
    }
    CHECK(pages == recorded.account.count(pid, "copied"));
}

TEST_CASE("signals that strike anywhere do no harm", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kSignals, "timer-everywhere", Instruments::all);
    CHECK(recorded.account.writers().size() == 20);
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid);
}

TEST_CASE("a fault of the recorder's own ends the process", "[hostile]") {
    const std::string name = GENERATE(std::string("fault-in-handler"), "fault-in-hook");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_case(folder, program_of_tests("hostile_segments"), name, Instruments::all);
    CHECK(recorded.account.figure("ended by SIGSEGV") == 64);
}

TEST_CASE("a SIGTRAP handler of the program's is open to what libc sends", "[hostile]") {
    const std::string name =
        GENERATE(std::string("trap-handler-cancelled"), "trap-handler-changes-user");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kSignals, name, Instruments::all);
    CHECK(recorded.account.writers().size() == 1);
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid, Bound::exact, 4);
}
