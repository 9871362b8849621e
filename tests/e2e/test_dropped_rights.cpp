// Servers that start as root and go on as somebody else: what they copy then is counted, and
// nothing that cowscope opened with root's rights shows more than that user may see.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
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
    CHECK_FALSE(contains(run.out, "lists"));
    CHECK_FALSE(contains(run.out, "leaves"));

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

TEST_CASE("children of a program that has given up root before it forked leave their trace",
          "[rights]") {
    if (!is_root()) return;
    const std::string how =
        GENERATE(as<std::string>(), "setuid", "setresuid", "setreuid", "seteuid", "raw", "setfsuid",
                 "chroot-setuid", "capset", "dumpable", "chroot", "raw-chroot", "none");
    CAPTURE(how);
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    RunOptions options;
    options.environment = {"COWSCOPE_TEST_ROOT=" + (folder / "root")};
    const RunResult run =
        run_cowscope({"record", "-o", trace, "--", kDropsRights, how, "parent"}, options);
    CAPTURE(run.out, run.err);
    REQUIRE(run.status() == 0);
    CHECK(run.err.find("cannot record") == std::string::npos);
    for (const char* bad : {"frames", "left", "lists", "leaves"}) {
        CHECK_FALSE(contains(run.out, bad));
    }
    const Json report = report_json(trace);
    CAPTURE(report["notes"].dump(1), report["processes"].dump(1));
    CHECK(find_note(report, {"no trace"}).empty());
    REQUIRE(processes_of(report, "fork").size() == 1);
    const Json child = processes_of(report, "fork").at(0);
    CHECK(child["parent"] == processes_of(report, "root").at(0)["pid"]);
    CHECK(child["exit"]["value"] == 0);
    CHECK(child["copied_pages"] <= 2 * kHalfPages + 128);
    if (report["witness"] == "trap") CHECK(child["copied_pages"] >= kHalfPages);
    const bool has_no_proc = contains(how, "chroot");
    const bool is_other = !has_no_proc && how != "capset" && how != "dumpable" && how != "none";
    CHECK(find_note(report, {"there is no /proc"}).empty() == !has_no_proc);
    CHECK(find_note(report, {"no tracker", "given up rights before it forked"}).empty() ==
          !is_other);
    CHECK(child["copied_at_least"] == (has_no_proc || is_other));

    // Who is another user has its file where only it and root come to it.
    namespace fs = std::filesystem;
    const bool writes_as_other = is_other || how == "chroot-setuid";
    CHECK(fs::exists(trace + "/others") == writes_as_other);
    if (!writes_as_other) return;
    if (how != "setfsuid") CHECK(contains(run.out, "folder"));
    struct stat status {};
    REQUIRE(lstat((trace + "/others").c_str(), &status) == 0);
    CHECK(status.st_uid == 0);
    CHECK((status.st_mode & 07777) == 01733);
    REQUIRE(lstat(trace.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0700);
    for (const auto& entry : fs::directory_iterator(trace + "/others")) {
        REQUIRE(lstat(entry.path().c_str(), &status) == 0);
        CHECK(S_ISREG(status.st_mode));
        CHECK((status.st_mode & 07777) == 0600);
        CHECK(status.st_uid == 65534);
    }
}

TEST_CASE("where children of another user cannot write at all a note says why", "[rights]") {
    if (!is_root()) return;
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    RunResult run;
    SECTION("without the recorder") {
        RunOptions options;
        options.environment = {"LD_PRELOAD=" + kShim, "COWSCOPE_OUTPUT=" + trace};
        run = run_program({kDropsRights, "setuid", "parent"}, options);
    }
    SECTION("in a folder that strangers come to") {
        std::filesystem::create_directory(trace);
        chmod(trace.c_str(), 0755);
        run = run_cowscope({"record", "-o", trace, "--", kDropsRights, "setuid", "parent"});
        CHECK_FALSE(std::filesystem::exists(trace + "/others"));
    }
    CAPTURE(run.out, run.err);
    REQUIRE(run.status() == 0);
    const Json report = report_json(trace);
    CAPTURE(report["notes"].dump(1));
    CHECK(processes_of(report, "fork").empty());
    CHECK_FALSE(
        find_note(report, {"1 forked child left no trace", "given up its rights before"}).empty());
}

TEST_CASE("what another user puts into its part of a trace is no other process's", "[rights]") {
    if (!is_root()) return;
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    REQUIRE(
        run_cowscope({"record", "-o", trace, "--", kDropsRights, "setuid", "parent"}).status() ==
        0);
    const Json before = report_json(trace);
    namespace fs = std::filesystem;
    const std::string others = trace + "/others/";
    for (const auto& entry : fs::directory_iterator(trace)) {
        const std::string name = entry.path().filename().string();
        if (entry.path().extension() != ".cowseg") continue;
        // Under the very name, and as what it says.
        fs::copy_file(entry.path(), others + name);
        fs::copy_file(entry.path(), others + "process-1-2.cowseg");
        std::ofstream(others + name, std::ios::app) << "more";
    }
    fs::create_symlink("/etc/passwd", others + "process-1-3.cowseg");
    fs::create_symlink(trace + "/recording.json", others + "process-1-4.cowseg");
    REQUIRE(mkfifo((others + "process-1-5.cowseg").c_str(), 0666) == 0);
    fs::create_directory(others + "process-1-6.cowseg");
    std::ofstream(others + "process-1-7.cowseg") << "COWSCOPE";
    std::ofstream(others + "outside-1-7.cowscan") << "COWSCOPE";
    const Json after = report_json(trace);
    CAPTURE(after["notes"].dump(1));
    CHECK(after["processes"] == before["processes"]);
    CHECK(after["totals"] == before["totals"]);
    CHECK_FALSE(find_note(after, {"process-1-2", "has a segment already"}).empty());
    CHECK_FALSE(find_note(after, {"process-1-3", "a link"}).empty());
    // A folder that a link leads to is none of the trace's.
    fs::rename(trace + "/others", folder / "elsewhere");
    fs::create_directory_symlink(folder / "elsewhere", trace + "/others");
    CHECK(report_json(trace)["processes"].size() == 1);
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
