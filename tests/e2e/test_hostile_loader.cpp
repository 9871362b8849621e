// Programs whose first writes happen inside the dynamic loader, malloc or an unwinder, and beside
// libraries that stand where cowscope's stands.
#include <filesystem>
#include <fstream>
#include <iterator>
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

// cowscope in `folder`, with a library that looks for a function that is not there.
std::string cowscope_without(const std::string& function, const TemporaryFolder& folder) {
    std::ifstream file(kShim, std::ios::binary);
    std::string library((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const std::string name = '\0' + function + '\0';
    // Once for the linker, once for debuggers.
    REQUIRE(contains(library, name));
    for (size_t at = 0; (at = library.find(name, at)) != std::string::npos;) library[at + 1] = '!';
    std::ofstream(folder / "libcowscope.so", std::ios::binary) << library;
    std::filesystem::permissions(folder / "libcowscope.so", std::filesystem::perms::owner_all);
    std::filesystem::copy_file(kCowscope, folder / "cowscope");
    return folder / "cowscope";
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

// Before glibc 2.35 nothing tells in which module an address lies, without a lock.
TEST_CASE("without a way to find modules stacks have their innermost frame alone", "[hostile]") {
    const TemporaryFolder folder;
    const std::string cowscope = cowscope_without("_dl_find_object", folder);
    const RunResult run = run_program({cowscope, "record", "-o", folder / "t.cow", "--",
                                       program_of_tests("hostile_stacks"), "at-data"});
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    CHECK(pages_of_function(report, "store_with_frame") == 16);
    for (const Json& site : report["sites"]) {
        const std::string stack = site["stack"].dump(1);
        CAPTURE(stack);
        CHECK_FALSE(contains(stack, "(no module)"));
        CHECK_FALSE(contains(stack, "_start (hostile_stacks)"));
    }
}
