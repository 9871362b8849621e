// Forks that are not fork(), and other programs.
#include <sys/wait.h>

#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

const std::string kForkWays = program_of_tests("fork_ways");

}  // namespace

TEST_CASE("_Fork and clone share memory like fork", "[ways]") {
    const std::string name = GENERATE(std::string("_Fork"), "clone", "clone-files");
    const TemporaryFolder folder;
    const AccountRun recorded = check_case(folder, kForkWays, name, any_instruments());
    CHECK(recorded.account.count(recorded.account.root, "copied") == 64);
    // In a child of the clone, which at first has fewer of its own: none of the clone's are left.
    for (const int64_t left : recorded.account.figures("left open")) CHECK(left <= 0);
}

TEST_CASE("who forked is not who the kernel gives as the parent", "[ways]") {
    const std::string name = GENERATE(std::string("clone-parent"), "pid-namespace");
    const Instruments instruments = any_instruments();
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kForkWays, name, instruments);
    CAPTURE(name, recorded.report["processes"].dump(1));
    if (name == "pid-namespace" && recorded.account.figure("has namespace") == 0) {
        WARN("SKIPPED: no pid namespace may be made here");
        return;
    }
    REQUIRE(recorded.account.writers().size() == 1);
    const int child = *recorded.account.writers().begin();
    CHECK(recorded.account.count(child, "copied") == 40);
    check_copies(recorded, child);
    // The one in between, which says nothing of the sort itself.
    CHECK(row_of(recorded, child)["parent"] != recorded.account.root);
    CHECK(find_note(recorded.report, {"left no trace"}).empty());
}

TEST_CASE("threads that fork for the first time at once lose no child", "[ways]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kForkWays, "first-forks", Instruments::all);
    CHECK(recorded.account.figure("killed") == 0);
}

TEST_CASE("a child that nobody announces is left alone", "[ways]") {
    const TemporaryFolder folder;
    const AccountRun recorded = check_case(folder, kForkWays, "raw-fork", any_instruments());
    for (const int64_t blocked : recorded.account.figures("still blocked")) CHECK(blocked == 1);
    CHECK(recorded.account.figures("still blocked").size() == 2);
}

TEST_CASE("a child that becomes another program at once copies next to nothing", "[ways]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kForkWays, "exec", any_instruments());
    const std::vector<Json> children = processes_of(recorded.report, "fork");
    CHECK(children.size() == 10);
    for (const Json& child : children) {
        CAPTURE(child.dump(1));
        CHECK(child["exit"]["kind"] == "exec");
        CHECK(child["copied_pages"] <= kOtherCopies);
        const Json image = find_process(recorded.report, child["pid"].get<int>(), "exec");
        REQUIRE_FALSE(image.is_null());
        CHECK(image["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
        CHECK(image["copied_pages"] == 0);
    }
}

TEST_CASE("other programs that are started copy nothing and work as ever", "[ways]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kForkWays, "programs", any_instruments());
    CHECK(WEXITSTATUS(static_cast<int>(recorded.account.figure("system"))) == 3);
    CHECK(recorded.account.figure("popen") == 0);
    CHECK(recorded.account.figure("pclose") == 0);
    CHECK(processes_of(recorded.report, "fork").empty());
    CHECK(processes_of(recorded.report, "exec").size() == 4);
    CHECK(recorded.report["totals"]["copied_pages"] == 0);
    CHECK(recorded.report["totals"]["inherited_pages"] == 0);
}
