// Modules whose tables are wrong, hidden or gone: programs/hostile_modules.cpp.
#include <string>

#include "tests/catch.h"
#include "tests/e2e/account_truth.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/tree_truth.h"

using namespace cowscope::e2e;

namespace {

const std::string kModules = program_of_tests("hostile_modules");

// Every child has written what it wrote, and has ended as it wanted to.
AccountRun check_writers(const TemporaryFolder& folder, const std::string& name,
                         const Words& options = {}) {
    const AccountRun recorded =
        record_account_successfully(folder / "t.cow", {kModules, name}, Instruments::all, options);
    CAPTURE(name);
    CHECK_FALSE(recorded.account.writers().empty());
    for (const int pid : recorded.account.writers()) {
        const Json row = row_of(recorded, pid);
        const uint64_t copied = recorded.account.count(pid, "copied");
        CAPTURE(pid, copied, row.dump(1));
        CHECK(row["census"] == "final");
        CHECK(row["copied_pages"] >= copied);
        CHECK(row["copied_pages"] <= copied + kOtherCopies);
        CHECK(row["lost_events"] == 0);
    }
    return recorded;
}

}  // namespace

TEST_CASE("unwind tables made by hand are walked through", "[hostile]") {
    const TemporaryFolder folder;
    const AccountRun recorded = check_writers(folder, "sound");
    const int child = *recorded.account.writers().begin();
    const Json report = report_json(folder / "t.cow", {"--process", std::to_string(child)});
    uint64_t walked = 0;
    for (const Json& site : report["sites"]) {
        if (contains(site["stack"].dump(), "run_named") && site["pages"] == 16) ++walked;
    }
    CAPTURE(report["sites"].dump(1));
    CHECK(walked == 1);
}

TEST_CASE("whatever unwind tables say, the program does not fault", "[hostile]") {
    const std::string name = GENERATE(std::string("augmentation"), "places", "header",
                                      "instructions", "jumble", "stack-hole");
    const TemporaryFolder folder;
    check_writers(folder, name);
}

TEST_CASE("unwind tables that are hidden, unmapped or truncated are no fault", "[hostile]") {
    const std::string name =
        GENERATE(std::string("hidden"), "hidden-meanwhile", "truncated-meanwhile");
    const TemporaryFolder folder;
    check_writers(folder, name);
}

TEST_CASE("symbol tables that are wrong or gone are no fault at a fork", "[hostile]") {
    const std::string name = GENERATE(std::string("symbols"), "symbols-gone");
    const TemporaryFolder folder;
    SECTION("with a witness and a tracker") {
        check_writers(folder, name);
    }
    SECTION("with neither") {
        record_account_successfully(folder / "t.cow", {kModules, name}, Instruments::census_only,
                                    {"--tracker", "off"});
    }
}
