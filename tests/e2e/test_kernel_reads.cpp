// What the kernel writes for a child, by whatever call: all of it counts, as the kernel's.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

// Frames of signals, and libc's own small reads.
constexpr uint64_t kOtherKernelPages = 8;

void check_read(const std::string& name, const std::string& parent_pages) {
    CAPTURE(name, parent_pages);
    const TemporaryFolder folder;
    const AccountRun recorded = record_account_successfully(
        folder / "t.cow", {program_of_tests("kernel_reads"), name, parent_pages}, Instruments::all);
    for (const int pid : recorded.account.writers()) {
        if (pid == recorded.account.root) continue;
        const uint64_t read = recorded.account.count(pid, "copied");
        const Json row = row_of(recorded, pid);
        const Json own = report_json(recorded.folder, {"--process", std::to_string(pid)});
        CAPTURE(row.dump(1), own["causes"].dump(1));
        CHECK(row["copied_pages"] >= read);
        CHECK(row["copied_pages"] <= read + kOtherCopies);
        CHECK(pages_of_cause(own, "kernel") >= read);
        CHECK(pages_of_cause(own, "kernel") <= read + kOtherKernelPages);
        CHECK(row["lost_events"] == 0);
    }
}

}  // namespace

TEST_CASE("what streams read into a child's shared pages is the kernel's", "[kernel]") {
    check_read(GENERATE(std::string("fread"), "fread_unlocked", "__fread_chk", "getline", "fgets"),
               "0");
}

TEST_CASE("what other calls read into a child's shared pages is the kernel's", "[kernel]") {
    check_read(GENERATE(std::string("__read_chk"), "__pread_chk", "__recv_chk", "__recvfrom_chk",
                        "recv", "recvmmsg", "preadv2", "getrandom"),
               "0");
}

TEST_CASE("what the kernel writes by calls that nobody stands in for is found", "[kernel]") {
    const std::string parent_pages = GENERATE(std::string("0"), "100");
    check_read(GENERATE(std::string("fgetc"), "fscanf", "syscall"), parent_pages);
}
