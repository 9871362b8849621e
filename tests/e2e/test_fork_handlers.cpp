// Copies in a child before the shim's first call in it: by libc's fork() itself and by handlers of
// libraries that were there earlier. Nobody can say who wrote, but they are copies.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

const std::string kForkHandlers = program_of_tests("fork_handlers");

uint64_t figure_of(const AccountRun& recorded, int pid) {
    for (const Json& row : recorded.account.json["figures"]) {
        if (row["pid"] == pid && row["name"] == "by handlers") return row["value"];
    }
    return 0;
}

}  // namespace

TEST_CASE("what earlier libraries' handlers copy in a child is counted", "[handlers]") {
    const std::string name = GENERATE(std::string("handlers"), "again");
    const Instruments instruments = any_instruments();
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kForkHandlers, name, instruments);
    CAPTURE(name, recorded.report["causes"].dump(1));
    for (const int pid : recorded.account.writers()) {
        const Json row = row_of(recorded, pid);
        CAPTURE(row.dump(1));
        REQUIRE(figure_of(recorded, pid) == 1000);
        const uint64_t copied = recorded.account.count(pid, "copied") + 1000;
        CHECK(row["copied_pages"] >= copied);
        CHECK(row["copied_pages"] <= copied + kOtherCopies);
        if (instruments == Instruments::census_only) continue;
        const Json own = report_json(recorded.folder, {"--process", std::to_string(pid)});
        CHECK(pages_of_cause(own, "unknown") >= 1000);
        CHECK(pages_of_cause(own, "kernel") <= kOtherCopies);
        CHECK(pages_of_function(own, "store_to_shared") == recorded.account.count(pid, "copied"));
        CHECK(pages_of_function(own, "store_to_own") == 0);
    }
}

TEST_CASE("what libc itself copies in a child of many threads is counted", "[handlers]") {
    const TemporaryFolder folder;
    const AccountRun recorded = record_case(folder, kForkHandlers, "arenas", Instruments::all);
    REQUIRE(recorded.account.writers().size() == 1);
    const int pid = *recorded.account.writers().begin();
    const Json row = row_of(recorded, pid);
    CAPTURE(row.dump(1));
    // A hundred arenas, of which libc may write two pages or three, and the program itself.
    CHECK(row["copied_pages"] >= 100 + 100);
    CHECK(row["copied_pages"] <= 300 + 100 + kOtherCopies);
    constexpr uint64_t kPageKb = 4;
    CHECK(row["copied_pages"].get<uint64_t>() * kPageKb <= row["private_dirty_kb_at_end"]);
}
