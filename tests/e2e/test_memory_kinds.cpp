// Memory in other units than pages, memory that is not there, and memory that is elsewhere. Truth
// is what the kernel says that it did (/proc/self/smaps, pagemap).
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/machine_memory.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

constexpr int64_t kPageKb = 4;

const std::string kProgram = program_of_tests("memory_kinds");

Account run_alone(const std::string& kind) {
    const RunResult alone = run_program({kProgram, kind});
    CAPTURE(kind, alone.err);
    REQUIRE(alone.status() == 0);
    return account_from(alone.out);
}

void check_writers(const AccountRun& recorded) {
    for (const int pid : recorded.account.writers()) {
        CHECK(row_of(recorded, pid)["census"] == "final");
        check_copies(recorded, pid);
    }
}

}  // namespace

// Loud where nothing was tested. CTest counts it as skipped by this text.
#define COWSCOPE_REQUIRE_MACHINE(condition, what)           \
    if (!(condition)) {                                     \
        WARN("SKIPPED: " what "; nothing was tested here"); \
        return;                                             \
    }

TEST_CASE("of a huge page the pages that the kernel copied are copies", "[kinds]") {
    const std::string kind = GENERATE(std::string("huge"), "huge-parent", "huge-all");
    const Instruments instruments = GENERATE(Instruments::all, Instruments::census_only);
    const Account alone = run_alone(kind);
    COWSCOPE_REQUIRE_MACHINE(alone.figure("huge_kb") > 0, "the kernel gives no huge pages");
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_account_successfully(folder / "t.cow", {kProgram, kind}, instruments);
    CAPTURE(kind, recorded.report["witness"].dump());
    const int64_t copied_kb = recorded.account.figure("private_dirty_kb");
    for (const int pid : recorded.account.writers()) {
        CHECK(static_cast<int64_t>(recorded.account.count(pid, "copied")) * kPageKb == copied_kb);
    }
    check_writers(recorded);
    // Being watched does not make the kernel copy more or less.
    CHECK(recorded.account.figure("huge_kb") == alone.figure("huge_kb"));
    CHECK(copied_kb == alone.figure("private_dirty_kb"));
}

TEST_CASE("a child gets huge pages of its own as it does alone", "[kinds]") {
    const Instruments instruments = GENERATE(Instruments::all, Instruments::census_only);
    const Account alone = run_alone("huge-fresh");
    COWSCOPE_REQUIRE_MACHINE(alone.figure("huge_kb") > 0, "the kernel gives no huge pages");
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_account_successfully(folder / "t.cow", {kProgram, "huge-fresh"}, instruments);
    CHECK(recorded.account.figure("huge_kb") == alone.figure("huge_kb"));
    CHECK(recorded.account.figure("private_dirty_kb") == alone.figure("private_dirty_kb"));
    for (const int pid : recorded.account.writers()) {
        check_copies(recorded, pid);
        check_fresh(recorded, pid);
    }
}

TEST_CASE("a page of hugetlb is copied as a whole", "[kinds]") {
    const Instruments instruments = GENERATE(Instruments::all, Instruments::census_only);
    constexpr int kNeeded = 8;  // the parent's four, and room for copies
    const HugePages huge_pages(kNeeded);
    COWSCOPE_REQUIRE_MACHINE(huge_pages.has_them(), "vm.nr_hugepages cannot be raised");
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_account_successfully(folder / "t.cow", {kProgram, "hugetlb"}, instruments);
    constexpr uint64_t kPagesOfTwo = 2 * 512;
    for (const int pid : recorded.account.writers()) {
        REQUIRE(recorded.account.count(pid, "copied") == kPagesOfTwo);
    }
    CHECK_FALSE(recorded.account.writers().empty());
    check_writers(recorded);
}

TEST_CASE("pages that are swapped out are inherited, copied and kept like others", "[kinds]") {
    const std::string kind = GENERATE(std::string("swapped"), "swap-later");
    const Instruments instruments = GENERATE(Instruments::all, Instruments::census_only);
    const SwapSpace swap;
    COWSCOPE_REQUIRE_MACHINE(swap.is_there(), "there is no swap space, and none can be added");
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_account_successfully(folder / "t.cow", {kProgram, kind}, instruments);
    CAPTURE(kind, recorded.report["witness"].dump());
    for (const int64_t swapped : recorded.account.figures("swapped")) {
        COWSCOPE_REQUIRE_MACHINE(swapped > 0, "the kernel swaps nothing out on request");
    }
    check_writers(recorded);
}

TEST_CASE("64 GiB of address space cost what is in them", "[kinds]") {
    const Account alone = run_alone("sparse");
    const TemporaryFolder folder;
    const Instruments instruments = GENERATE(Instruments::all, Instruments::census_only);
    const AccountRun recorded =
        record_account_successfully(folder / "t.cow", {kProgram, "sparse"}, instruments);
    for (const int pid : recorded.account.writers()) check_copies(recorded, pid);
    CHECK_FALSE(recorded.account.writers().empty());

    // To protect what is not there would take 131 MB of page tables, and hundreds of times as long.
    constexpr int64_t kMostTablesKb = 1024;
    CHECK(recorded.account.figure("page_tables_kb") <=
          alone.figure("page_tables_kb") + kMostTablesKb);
    CHECK(recorded.account.figure("parent_tables_kb") <=
          alone.figure("parent_tables_kb") + kMostTablesKb);
    constexpr int64_t kMostTimes = 3;
    CHECK(recorded.account.figure("sparse_ns") <= kMostTimes * recorded.account.figure("plain_ns"));
}
