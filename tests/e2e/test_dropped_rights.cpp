// Servers that start as root and go on as somebody else: what they copy then is counted, and
// nothing that cowscope opened with root's rights shows more than that user may see.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <sstream>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/other_user.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

const std::string kDropsRights = program_of_tests("drops_rights");
constexpr uint64_t kHalfPages = 2048;

bool is_root() {
    if (geteuid() == 0) return true;
    std::puts("SKIPPED: giving up rights takes root's to begin with");
    return false;
}

}  // namespace

TEST_CASE("what a child copies after it has given up root is counted, and no frame is shown",
          "[rights]") {
    if (!is_root()) return;
    const std::string how = GENERATE(as<std::string>(), "setuid", "setresuid", "setreuid",
                                     "seteuid", "raw", "capset", "dumpable", "none");
    const std::string witness = GENERATE(as<std::string>(), "auto", "off");
    CAPTURE(how, witness);
    const TemporaryFolder folder;
    const RunResult run = run_cowscope(
        {"record", "--witness", witness, "-o", folder / "t.cow", "--", kDropsRights, how, "child"});
    CAPTURE(run.out, run.err);
    REQUIRE(run.status() == 0);
    // "none" is root to the end, whose own descriptors may show them: cowscope's do not.
    CHECK_FALSE(contains(run.out, "frames"));
    CHECK_FALSE(contains(run.out, "left"));

    const Json report = report_json(folder / "t.cow");
    CAPTURE(report["notes"].dump(1), report["processes"].dump(1));
    check_consistent(report);
    REQUIRE(processes_of(report, "fork").size() == 1);
    const Json child = processes_of(report, "fork").at(0);
    CHECK(child["census"] == "final");
    CHECK(child["copied_pages"] >= 2 * kHalfPages);
    CHECK(child["copied_pages"] <= 2 * kHalfPages + 128);
    CHECK(child["inherited_pages"] >= 2 * kHalfPages);
    CHECK(child["inherited_at_least"] == false);
    CHECK(child["copied_at_least"] == false);
    if (report["witness"] == "trap") {
        CHECK(pages_of_cause(report, "kernel") >= kHalfPages);
        CHECK(pages_of_cause(report, "store") >= kHalfPages);
    }
    CHECK(find_note(report, {"rights"}).empty());
}

TEST_CASE("where rights were given up before the fork the report claims no more than it knows",
          "[rights]") {
    const OtherUser user;
    const TemporaryFolder folder;
    user.let_through(folder.path());
    const std::filesystem::path program = folder.path() / "drops_rights";
    std::filesystem::copy_file(kDropsRights, program);
    const std::filesystem::path place = folder.path() / "place";
    std::filesystem::create_directory(place);
    REQUIRE(user.give(place));
    RunOptions options;
    options.before_exec = [&] { return user.become(); };
    const RunResult run = run_program({user.cowscope(), "record", "-o", place / "t.cow", "--",
                                       program.string(), "dumpable", "parent"},
                                      options);
    CAPTURE(run.out, run.err);
    REQUIRE(run.status() == 0);
    const Json report = report_json(place / "t.cow");
    CAPTURE(report["notes"].dump(1), report["processes"].dump(1));
    CHECK_FALSE(find_note(report, {"no tracker", "given up rights before it forked"}).empty());
    const Json child = processes_of(report, "fork").at(0);
    CHECK(child["inherited_pages"] == 0);
    CHECK(child["copied_at_least"] == true);
    const std::string text = run_cowscope({"report", place / "t.cow"}).out;
    CHECK_FALSE(contains(text, "explained"));
    if (report["witness"] == "trap") {
        CHECK(child["copied_pages"] >= kHalfPages);
        CHECK(contains(text, "Copied after fork: at least"));
    }
}
