// The whole tree of processes: who copies which of the pages that it shares with whom. The programs
// know it from what they do, and ask the kernel (programs/account.h).
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

const std::string kProcessTree = program_of_tests("process_tree");

AccountRun record_tree(const TemporaryFolder& folder, const std::string& name,
                       Instruments instruments) {
    return record_case(folder, kProcessTree, name, instruments);
}
AccountRun check_tree(const TemporaryFolder& folder, const std::string& name,
                      Instruments instruments, Bound bound = Bound::exact) {
    return check_case(folder, kProcessTree, name, instruments, bound);
}

// The census alone does not say when a page was written.
Bound bound_of_times(Instruments instruments) {
    return instruments == Instruments::all ? Bound::exact : Bound::at_least;
}

}  // namespace

TEST_CASE("what the parent writes is copied only while a child shares it", "[tree]") {
    const Instruments instruments = any_instruments();
    const TemporaryFolder folder;
    const AccountRun recorded =
        check_tree(folder, "parent", instruments, bound_of_times(instruments));
    CHECK_FALSE(contains(recorded.report["notes"].dump(1), "its private memory"));
}

TEST_CASE("what a parent gives up is its child's alone", "[tree]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_tree(folder, "parent-gives-up", any_instruments());
    const int child = *recorded.account.writers().begin();
    const std::string notes = recorded.report["notes"].dump(1);
    CAPTURE(notes);
    CHECK_FALSE(contains(notes, "its private memory"));
    const Json row = row_of(recorded, child);
    CAPTURE(row.dump(1));
    CHECK(row["held_alone_pages"] >= 1024);
    CHECK(row["held_alone_pages"] <= 1024 + 256);
}

TEST_CASE("a server's workers share what was there when they were forked, and no more", "[tree]") {
    const TemporaryFolder folder;
    const AccountRun recorded = check_tree(folder, "replaced-workers", Instruments::all);
    CHECK(recorded.account.writers().size() == 2);
    CHECK(recorded.account.count(recorded.account.root, "kept") == 128 + 300);
}

TEST_CASE("each later fork shares the parent's pages anew", "[tree]") {
    const TemporaryFolder folder;
    const AccountRun recorded = check_tree(folder, "again", any_instruments());
    CHECK(recorded.account.count(recorded.account.root, "copied") == 3 * 96);
}

TEST_CASE("a page that several children share is copied once by their parent", "[tree]") {
    const TemporaryFolder folder;
    check_tree(folder, "several", any_instruments());
}

TEST_CASE("of two processes that write a page only the first copies it", "[tree]") {
    const Instruments instruments = any_instruments();
    const TemporaryFolder folder;
    check_tree(folder, GENERATE(std::string("child-before-parent"), "parent-before-child"),
               instruments, bound_of_times(instruments));
}

TEST_CASE("a fork that fails shares nothing", "[tree]") {
    const Instruments instruments = any_instruments();
    const TemporaryFolder folder;
    const AccountRun recorded =
        check_tree(folder, "failed-fork", instruments, bound_of_times(instruments));
    CHECK(recorded.account.figure("result") == -1);
    CHECK(recorded.account.figure("errno") == EAGAIN);
}

TEST_CASE("children of children are watched like children", "[tree]") {
    const Instruments instruments = any_instruments();
    const TemporaryFolder folder;
    const AccountRun recorded =
        check_tree(folder, "chain", instruments, bound_of_times(instruments));
    CHECK(recorded.account.writers().size() == 5);
}

TEST_CASE("a hundred children at once each have their own copies", "[tree]") {
    const Instruments instruments = any_instruments();
    const TemporaryFolder folder;
    const AccountRun recorded = record_tree(folder, "hundred", instruments);
    REQUIRE(recorded.account.writers().size() == 100);
    CHECK(recorded.report["totals"]["processes"] == 101);
    CHECK(recorded.report["totals"]["lost_events"] == 0);
    for (const int pid : recorded.account.writers()) {
        const Json row = row_of(recorded, pid);
        const uint64_t copied = recorded.account.count(pid, "copied");
        CAPTURE(row.dump(1));
        CHECK(row["census"] == "final");
        CHECK(row["copied_pages"] >= copied);
        CHECK(row["copied_pages"] <= copied + kOtherCopies);
    }
    check_copies(recorded, *recorded.account.writers().begin());
    check_copies(recorded, *recorded.account.writers().rbegin());
}

TEST_CASE("a child that outlives its parent shares pages with nobody", "[tree]") {
    const Instruments instruments = any_instruments();
    const TemporaryFolder folder;
    check_tree(folder, "orphan", instruments, bound_of_times(instruments));
}

TEST_CASE("a daemon and the process that it came from have their copies", "[tree]") {
    const Instruments instruments = any_instruments();
    const TemporaryFolder folder;
    const AccountRun recorded =
        check_tree(folder, "daemon", instruments, bound_of_times(instruments));
    CHECK(recorded.account.writers().size() == 2);
}

TEST_CASE("children of a threaded parent have their copies", "[tree]") {
    // Each second child starts four.
    constexpr uint64_t kMostLost = 4 * kLostAThread;
    const TemporaryFolder folder;
    const AccountRun recorded = record_tree(folder, "threaded-parent", any_instruments());
    CHECK(recorded.account.writers().size() == 10);
    for (const int pid : recorded.account.writers()) {
        CHECK(row_of(recorded, pid)["census"] == "final");
        check_copies(recorded, pid, Bound::exact, kMostLost);
    }
}

TEST_CASE("children of threads have their copies", "[tree]") {
    const TemporaryFolder folder;
    const AccountRun recorded = check_tree(folder, "fork-from-thread", any_instruments());
    CHECK(recorded.account.writers().size() == 6);
}

TEST_CASE("a thousand children in sequence leave nothing behind in their parent", "[tree]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_tree(folder, "thousand", any_instruments());
    const Account& account = recorded.account;
    CHECK(account.figure("after descriptors") == account.figure("before descriptors"));
    CHECK(account.figure("after mappings") == account.figure("before mappings"));
    constexpr int64_t kMostResidentKb = 1024;  // 1 KiB a child
    constexpr int64_t kMostAnonymousKb = 64;
    CHECK(account.figure("after resident kb") <=
          account.figure("before resident kb") + kMostResidentKb);
    CHECK(account.figure("after anonymous kb") <=
          account.figure("before anonymous kb") + kMostAnonymousKb);

    // The thousand, their parent, and the root.
    CHECK(recorded.report["totals"]["processes"] == 1002);
    std::map<std::string, size_t> files;  // by what their names end in
    for (const auto& entry : std::filesystem::directory_iterator(recorded.folder)) {
        ++files[entry.path().extension().string()];
    }
    CHECK(files[".cowseg"] == 1002);
    CHECK(files[".cowscan"] <= 1002);
    files.erase(".cowseg");
    files.erase(".cowscan");
    size_t others = 0;
    for (const auto& [extension, count] : files) others += count;
    // What the recorder writes of the whole.
    CHECK(others <= 4);
}

TEST_CASE("a parent with faults that nobody sees does not grow by its forks", "[tree]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_tree(folder, "unseen-faults", Instruments::all);
    const Account& account = recorded.account;
    constexpr int64_t kMostAnonymousKb = 64;
    CHECK(account.figure("after anonymous kb") <=
          account.figure("before anonymous kb") + kMostAnonymousKb);
    CHECK(account.figure("after mappings") == account.figure("before mappings"));
    CHECK(recorded.report["totals"]["processes"] == 301);
    const Json root = row_of(recorded, account.root);
    CHECK(root["copied_pages"] >= 300 * 100);
    CHECK(root["census"] == "final");
}

TEST_CASE("what is mapped is not told again at each fork", "[tree]") {
    const TemporaryFolder folder;
    const std::string name = GENERATE(as<std::string>(), "many-mappings", "many-mappings-read");
    CAPTURE(name);
    const AccountRun recorded = record_tree(folder, name, Instruments::all);
    uint64_t bytes = 0;
    uint64_t largest = 0;
    for (const auto& entry : std::filesystem::directory_iterator(recorded.folder)) {
        if (entry.path().extension() != ".cowseg") continue;
        bytes += entry.file_size();
        largest = std::max<uint64_t>(largest, entry.file_size());
    }
    // The parent tells 6,000 mappings, of some 50 bytes each: once, and once more when it has some
    // that it had not at its first fork. A child, whose memory is its parent's, does not; its list
    // of inherited pages has 3,000 runs of 16 bytes.
    constexpr uint64_t kMappingsBytes = 6000 * 50;
    constexpr uint64_t kListBytes = 3000 * 16;
    constexpr uint64_t kForks = 40;
    CAPTURE(bytes, largest);
    CHECK(largest > kMappingsBytes);
    // Both sides tell a list; a segment is reserved in windows of up to half a MiB.
    CHECK(bytes < 4 * kMappingsBytes + kForks * 4 * kListBytes);
    CHECK(recorded.report["totals"]["processes"] == kForks + 1);
    // The children know nonetheless where the program's code lies.
    const auto children = processes_of(recorded.report, "fork");
    REQUIRE(children.size() == kForks);
    const Json child =
        report_json(recorded.folder, {"--process", std::to_string(children[7]["pid"].get<int>())});
    CHECK(pages_of_function(child, "store_to_shared") >= 100);
}
