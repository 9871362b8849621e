// Programs that use what the shim uses, trace their children, go into namespaces, or have memory
// written in other ways than by a store.
#include <unistd.h>

#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

const std::string kKernel = program_of_tests("hostile_kernel");

}  // namespace

TEST_CASE("a program's own userfaultfd and perf events work, and it is recorded", "[hostile]") {
    const std::string name = GENERATE(std::string("own-userfaultfd"), "own-perf-event");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kKernel, name, any_instruments());
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid);
    // Two events of one fault are one signal: docs/transparency.md.
    if (name == "own-perf-event" && recorded.instruments == Instruments::census_only) {
        CHECK(recorded.account.figure("own events") >= 64);
    }
}

TEST_CASE("memory of the fork that a program's own userfaultfd takes is left to it", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_case(folder, kKernel, "own-userfaultfd-later", any_instruments());
    if (recorded.report["tracker"] != "userfaultfd") {
        WARN("SKIPPED: the tracker is not userfaultfd");
        return;
    }
    REQUIRE(recorded.account.writers().size() == 2);
    // What is copied there later only the witness sees.
    const bool is_seen = recorded.instruments == Instruments::all;
    for (const int pid : recorded.account.writers()) {
        check_copies(recorded, pid, is_seen ? Bound::exact : Bound::at_most, kLostAThread);
    }
    CHECK_FALSE(find_note(recorded.report, {"could not be tracked"}).empty());
    if (is_seen) return;
    const int child = recorded.account.root;
    for (const int pid : recorded.account.writers()) {
        CHECK(pid != child);
        CHECK(row_of(recorded, pid)["copied_pages"] >= 136);
    }
}

TEST_CASE("a child with its parent's number in another namespace is not taken for it",
          "[hostile]") {
    if (geteuid() != 0) {
        WARN("SKIPPED: only root can make pid namespaces");
        return;
    }
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kKernel, "same-number", any_instruments());
    const std::vector<Json> children = processes_of(recorded.report, "fork");
    REQUIRE(children.size() == 1);
    CHECK(children[0]["exit"]["kind"] == "exit");
    CHECK(children[0]["exit"]["value"] == 0);
    CHECK(children[0]["census"] == "final");
    CHECK(children[0]["copied_pages"] >= 164);
    CHECK(children[0]["copied_pages"] <= 164 + kOtherCopies);
}

TEST_CASE("a traced child is recorded like others", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded = check_case(folder, kKernel, "traced-child", any_instruments());
    CHECK(recorded.account.writers().size() == 1);
}

TEST_CASE("children in namespaces of their own are recorded", "[hostile]") {
    const std::string name =
        GENERATE(std::string("pid-namespace"), "mount-namespace", "user-namespace");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kKernel, name, any_instruments());
    const std::vector<Json> children = processes_of(recorded.report, "fork");
    REQUIRE(children.size() == 3);
    uint64_t copied = 0;
    for (const Json& child : children) {
        CHECK(child["census"] == "final");
        copied += child["copied_pages"].get<uint64_t>();
    }
    CHECK(copied >= 16 + 100 + 100);
    CHECK(copied <= 16 + 100 + 100 + 3 * kOtherCopies);
}

TEST_CASE("what is written from outside is in the census of a tracked process", "[hostile]") {
    const std::string name = GENERATE(std::string("process-vm-writev"), "proc-mem");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kKernel, name, any_instruments());
    REQUIRE(recorded.account.writers().size() == 1);
    const int child = *recorded.account.writers().begin();
    const Json row = row_of(recorded, child);
    CHECK(row["copied_pages"] >= 128 + 64);
    CHECK(row["copied_pages"] <= 128 + 64 + kOtherCopies);
    if (recorded.instruments != Instruments::all) return;
    for (const Json& cause : recorded.report["causes"]) {
        if (cause["cause"] == "kernel") CHECK(cause["pages"] >= 64);
    }
}

TEST_CASE("a thousand live children are recorded", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kKernel, "thousand-children", Instruments::all);
    const std::vector<Json> children = processes_of(recorded.report, "fork");
    CHECK(children.size() == 1000);
    for (const Json& child : children) CHECK(child["copied_pages"] >= 8);
}
