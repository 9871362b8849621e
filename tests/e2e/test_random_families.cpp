// Families of processes that do things in random order: what each has copied is what it saw by the
// kernel's marks (programs/random_family.cpp).
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

// Of libc's and the stack, for a process and for each of its forks.
constexpr uint64_t kOtherCopies = 30;
constexpr uint64_t kOtherCopiesAFork = 16;

}  // namespace

TEST_CASE("random families of processes have their copies", "[tree]") {
    const int first_seed = GENERATE(1, 9, 17, 25, 33, 117, 220, 226);
    const std::string witness = GENERATE(std::string("auto"), "off");
    constexpr int kSeeds = 4;
    for (int seed = first_seed; seed < first_seed + kSeeds; ++seed) {
        const TemporaryFolder folder;
        RunOptions options;
        options.timeout = std::chrono::seconds(120);
        Words command = {"record",
                         "--quiet",
                         "--witness",
                         witness,
                         "-o",
                         folder / "t.cow",
                         "--",
                         program_of_tests("random_family"),
                         std::to_string(seed),
                         "90"};
        // Where nobody sees the writes, some to what was moved are missing now and then.
        if (witness == "off") command.push_back("still");
        const RunResult run = run_cowscope(command, options);
        CAPTURE(seed, witness, run.err);
        REQUIRE_FALSE(run.timed_out);
        REQUIRE(run.status() == 0);
        const Json report = report_json(folder / "t.cow");
        check_consistent(report);
        if (report["tracker"] != "userfaultfd") {
            WARN("SKIPPED: the tracker is not userfaultfd");
            return;
        }
        // Only the witness knows when a page was written, and whether anybody shared it then.
        const bool is_exact = report["witness"] == "trap";
        const Json told = Json::parse(run.out);
        REQUIRE(told.size() == report["processes"].size());
        for (const Json& truth : told) {
            const uint64_t copied = truth["copied"];
            const bool is_root = truth["pid"] == told[0]["pid"];
            const Json process =
                find_process(report, truth["pid"].get<int>(), is_root ? "root" : "fork");
            REQUIRE_FALSE(process.is_null());
            CAPTURE(truth.dump(), process.dump(1));
            CHECK(process["copied_pages"] >= copied);
            if (!is_exact) continue;
            CHECK(process["copied_pages"] <=
                  copied + kOtherCopies + kOtherCopiesAFork * truth["forks"].get<uint64_t>());
        }
    }
}
