// Programs into whose memory the kernel writes without a call of libc's.
#include <fstream>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

// sysctl kernel.io_uring_disabled, Linux 6.6.
bool has_rings() {
    int disabled = 0;
    std::ifstream("/proc/sys/kernel/io_uring_disabled") >> disabled;
    return disabled == 0;
}

}  // namespace

TEST_CASE("what the kernel writes without a call of libc's is counted as its own", "[hostile]") {
    const std::string name =
        GENERATE(std::string("ring"), "ring-with-workers", "ring-that-polls", "ring-of-parent",
                 "ring-in-parent", "ring-by-instructions", "read-by-number");
    if (name != "read-by-number" && !has_rings()) {
        WARN("SKIPPED: this machine allows no io_uring");
        return;
    }
    CAPTURE(name);
    const TemporaryFolder folder;
    const AccountRun recorded =
        record_case(folder, program_of_tests("hostile_ring"), name, any_instruments());
    REQUIRE(recorded.account.writers().size() == 1);
    const int writer = *recorded.account.writers().begin();
    const uint64_t copied = recorded.account.count(writer, "copied");
    const Json row = row_of(recorded, writer);
    CAPTURE(row.dump(1));
    CHECK(row["census"] == "final");
    CHECK(row["lost_events"] == 0);
    CHECK(row["copied_pages"] >= copied);
    CHECK(row["copied_pages"] <= copied + kOtherCopies);
    // The very pages.
    const std::vector<CopiedPages> processes = read_copied_pages(recorded.folder);
    const CopiedPages& seen = writer == recorded.account.root ? root_process(processes)
                                                              : forked_process(processes, writer);
    for (const uint64_t page : recorded.account.pages(writer, "copied")) {
        if (!seen.is_copied(page)) FAIL("missing: " << page);
    }
    if (recorded.instruments != Instruments::all) return;
    constexpr uint64_t kRead = 32;  // of hostile_ring.cpp
    CHECK(pages_of_cause(report_json(recorded.folder, {"--process", std::to_string(writer)}),
                         "kernel") >= kRead);
}
