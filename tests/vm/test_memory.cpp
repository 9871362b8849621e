// Memory that changes after a fork, for each tracker that works here: what tests/e2e holds against
// the one that `auto` takes (test_memory_changes.cpp, test_memory_kinds.cpp).
#include <set>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/machine_memory.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/vm/expectations.h"

using namespace cowscope::e2e;
using namespace cowscope::vm;

namespace {

AccountRun record_case(const TemporaryFolder& folder, const std::string& program,
                       const std::string& name, Instruments instruments,
                       const std::string& tracker) {
    return record_account_successfully(folder / "t.cow", {program_of_tests(program), name},
                                       instruments, {"--tracker", tracker});
}

// Of every process that wrote. Without the witness: it would make up for a census that lacks
// something.
void check_census(const std::string& tracker, const std::string& program, const std::string& name,
                  Bound bound = Bound::exact) {
    CAPTURE(tracker, name);
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_case(folder, program, name, Instruments::census_only, tracker);
    REQUIRE(recorded.report["tracker"] == tracker);
    REQUIRE_FALSE(recorded.account.writers().empty());
    for (const int pid : recorded.account.writers()) {
        CHECK(row_of(recorded, pid)["census"] == "final");
        check_copies(recorded, pid, bound);
    }
}

void check_cases(const std::string& program, const std::vector<std::string>& names,
                 Bound bound = Bound::exact) {
    for (const std::string& tracker : expected_trackers()) {
        for (const std::string& name : names) check_census(tracker, program, name, bound);
    }
}

}  // namespace

TEST_CASE("pages that are mapped after a fork are no copies") {
    check_cases("memory_changes", {"map", "stack", "map-anew", "map-over"});
}

TEST_CASE("copies count although they are unmapped") {
    check_cases("memory_changes", {"unmap", "unmap-a-part", "shrink"});
}

// The census alone cannot see what libc gives up inside: it may have too little, never too much.
TEST_CASE("blocks that libc moves and frees keep their copies") {
    check_cases("memory_changes", {"realloc-written", "free"}, Bound::at_most);
}

// Not "dontfork": that program maps what its parent kept, and on 6.1 the kernel has put memory of
// the shim's there by then.
TEST_CASE("advice and protection change nothing about copies") {
    check_cases("memory_attributes",
                {"dontneed", "free-lazily", "wipeonfork", "dofork", "read-only-and-back"});
}

TEST_CASE("memory that is shared on purpose is never copied") {
    for (const std::string& tracker : expected_trackers()) {
        for (const std::string name : {"shared", "memfd-shared", "file-shared"}) {
            check_census(tracker, "memory_attributes", name);
        }
    }
}

// The kernel makes one mapping of old and new memory then, and soft-dirty cannot tell of any of it.
// With the witness nothing is missing.
TEST_CASE("a parent's memory that grows has too few copies rather than too many") {
    for (const std::string name : {"map-beside", "parent-brk"}) {
        CAPTURE(name);
        for (const Instruments instruments : {Instruments::all, Instruments::census_only}) {
            const TemporaryFolder folder;
            const AccountRun recorded =
                record_case(folder, "memory_changes", name, instruments, "soft-dirty");
            CHECK_FALSE(find_note(recorded.report, {"soft-dirty", "grew"}).empty());
            REQUIRE(recorded.account.writers() == std::set<int>{recorded.account.root});
            check_copies(recorded, recorded.account.root,
                         instruments == Instruments::all ? Bound::exact : Bound::at_most);
        }
        if (is_expected("userfaultfd")) check_census("userfaultfd", "memory_changes", name);
    }
}

// Where PAGEMAP_SCAN does not know of soft-dirty, nothing tells the shared page of zeros apart.
TEST_CASE("pages that were only read before the fork are no copies or noted as such") {
    constexpr uint64_t kReadBefore = 64;
    for (const std::string& tracker : expected_trackers()) {
        CAPTURE(tracker);
        if (is_expected("userfaultfd")) {
            check_census(tracker, "memory_changes", "read-before");
            continue;
        }
        const TemporaryFolder folder;
        const AccountRun recorded =
            record_case(folder, "memory_changes", "read-before", Instruments::census_only, tracker);
        CHECK_FALSE(find_note(recorded.report, {"soft-dirty", "only read"}).empty());
        for (const int pid : recorded.account.writers()) {
            const uint64_t copied = recorded.account.count(pid, "copied");
            CHECK(row_of(recorded, pid)["copied_pages"] <= copied + kReadBefore + kOtherCopies);
        }
    }
}

TEST_CASE("memory of hugetlb is said not to be tracked by soft-dirty") {
    constexpr int kNeeded = 8;  // the parent's four, and room for copies
    const HugePages huge_pages(kNeeded);
    REQUIRE(huge_pages.has_them());
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_case(folder, "memory_kinds", "hugetlb", Instruments::census_only, "soft-dirty");
    CHECK_FALSE(find_note(recorded.report, {"could not be tracked", "missing"}).empty());
    REQUIRE_FALSE(recorded.account.writers().empty());
    for (const int pid : recorded.account.writers()) {
        const Json row = row_of(recorded, pid);
        CHECK(row["copied_pages"] <= kOtherCopies);
        CHECK(row["fresh_pages"] <= kOtherFreshPages);
    }
}

TEST_CASE("of huge pages the 4 KiB pages that the kernel copied are copies") {
    check_cases("memory_kinds", {"huge", "huge-parent", "huge-all"});
}
