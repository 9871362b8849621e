// Programs whose first writes happen inside the dynamic loader, malloc or an unwinder, and beside
// libraries that stand where cowscope's stands.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

const std::string kLoader = program_of_tests("hostile_loader");

// The pages that changed by the program's own comparison, in its one child.
void check_changed_pages(const AccountRun& recorded, size_t least) {
    REQUIRE(recorded.account.writers().size() == 1);
    const int child = *recorded.account.writers().begin();
    const std::set<uint64_t> changed = recorded.account.pages(child, "copied");
    REQUIRE(changed.size() >= least);
    const std::vector<CopiedPages> processes = read_copied_pages(recorded.folder);
    const CopiedPages& seen = forked_process(processes, child);
    uint64_t missing = 0;
    uint64_t unwitnessed = 0;
    for (const uint64_t page : changed) {
        missing += seen.is_copied(page) ? 0 : 1;
        unwitnessed += seen.witnessed.count(page) != 0 ? 0 : 1;
    }
    CHECK(missing == 0);
    if (recorded.instruments == Instruments::all) CHECK(unwitnessed == 0);
    const Json row = row_of(recorded, child);
    CAPTURE(row.dump(1));
    CHECK(row["census"] == "final");
    CHECK(row["lost_events"] == 0);
    CHECK(row["copied_pages"] <= changed.size() + kOtherCopies);
}

}  // namespace

TEST_CASE("what the dynamic loader and malloc write is witnessed", "[hostile]") {
    SECTION("addresses that are bound at the first call") {
        const TemporaryFolder folder;
        const AccountRun recorded = record_case(folder, kLoader, "lazy-binding", any_instruments());
        check_changed_pages(recorded, 4);
        if (recorded.instruments == Instruments::all) {
            CHECK(pages_of_cause(recorded.report, "lazy-binding") >= 4);
        }
    }
    SECTION("free lists and new strings") {
        const TemporaryFolder folder;
        const AccountRun recorded = record_case(folder, kLoader, "malloc", any_instruments());
        check_changed_pages(recorded, 100);
        if (recorded.instruments == Instruments::all) {
            CHECK(pages_of_cause(recorded.report, "allocator") >= 100);
        }
    }
}

TEST_CASE("first writes in what loaders and unwinders call are witnessed", "[hostile]") {
    const std::string name = GENERATE(std::string("load-in-child"), "iterating-modules",
                                      "exceptions", "libgcc", "libunwind");
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kLoader, name, any_instruments());
    REQUIRE(recorded.account.writers().size() == 1);
    const int child = *recorded.account.writers().begin();
    CHECK(row_of(recorded, child)["census"] == "final");
    // libunwind blocks all signals where it takes a lock, and writes then.
    check_copies(recorded, child, Bound::exact, name == "libunwind" ? 4 : 0);
}
