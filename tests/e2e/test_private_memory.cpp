// Private memory, as the kernel counts it, is what was copied, what is fresh, and what a process
// holds alone. programs/private_memory.cpp asks the kernel.
#include <cstdlib>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/memory_growth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

constexpr int64_t kHeldPages = 4096;
// Besides, a process holds alone what its parent wrote around the fork.
constexpr int64_t kOtherPages = 256;

AccountRun record_memory(const TemporaryFolder& folder, const std::string& name) {
    return record_case(folder, program_of_tests("private_memory"), name, Instruments::all);
}

Json child_of(const AccountRun& recorded) {
    const std::vector<Json> children = processes_of(recorded.report, "fork");
    REQUIRE(children.size() == 1);
    return children[0];
}

void check_account(const AccountRun& recorded, const Json& process, int64_t held_alone) {
    CAPTURE(process.dump(1), recorded.report["notes"].dump(1));
    const auto held = process["held_alone_pages"].get<int64_t>();
    check_agrees(recorded.account.figure("grown kb"), copied_and_fresh_kb(process) + 4 * held);
    CHECK(held >= held_alone);
    CHECK(held <= held_alone + kOtherPages);
    CHECK(find_note(recorded.report, {"its private memory"}).empty());
}

}  // namespace

TEST_CASE("memory that a parent gives up is held alone by its child", "[memory]") {
    const std::string name = GENERATE(std::string("free"), "discard", "late", "copy", "write");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_memory(folder, name);
    const Json child = child_of(recorded);
    check_account(recorded, child, kHeldPages);
    const auto written =
        static_cast<int64_t>(recorded.account.count(child["pid"].get<int>(), "copied"));
    CHECK(child["copied_pages"] >= written);
    CHECK(child["copied_pages"] <= written + kOtherPages);
    CHECK(recorded.report["totals"]["held_alone_pages"] >= kHeldPages);
}

TEST_CASE("a child that does little is not held up by what its parent has copied", "[memory]") {
    const RunResult alone = run_program({program_of_tests("private_memory"), "copy-much"});
    REQUIRE(alone.status() == 0);
    const int64_t without = account_from(alone.out).figure("faults of the child");
    const TemporaryFolder folder;
    const AccountRun recorded = record_memory(folder, "copy-much");
    // At its end each page that is asked about is one fault. The parent has copied 51,200.
    CHECK(recorded.account.figure("faults of the child") < without + 20'000);
    check_copies(recorded, child_of(recorded)["pid"].get<int>());
}

TEST_CASE("a parent's memory is its own again when its children have ended", "[memory]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_memory(folder, "children-end");
    const Json root = row_of(recorded, recorded.account.root);
    CAPTURE(root.dump(1));
    const auto held = root["held_alone_pages"].get<int64_t>();
    CHECK(held >= kHeldPages);
    check_agrees(recorded.account.figure("grown kb"), copied_and_fresh_kb(root) + 4 * held);
    check_agrees(root["private_dirty_kb_at_end"].get<int64_t>() -
                     root["private_dirty_kb_at_fork"].get<int64_t>(),
                 copied_and_fresh_kb(root) + 4 * held);
}

TEST_CASE("what was given back before the end was seen from outside", "[memory]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_memory(folder, "given-back");
    const Json child = child_of(recorded);
    check_account(recorded, child, kHeldPages);
    CHECK(child["fresh_pages"] >= kHeldPages);
}
