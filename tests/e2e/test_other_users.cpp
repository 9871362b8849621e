// Recording where another user may write: nothing that this user puts there is followed or written
// to, and nothing that is recorded can be read.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/other_user.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

bool is_root() {
    if (geteuid() == 0) return true;
    WARN("SKIPPED: only root can write where others may");
    return false;
}

// What a user could make root write to.
class Treasure {
  public:
    explicit Treasure(const std::string& path) : path_(path) { fs::create_directory(path); }
    const std::string& path() const { return path_; }
    bool is_untouched() const { return fs::is_empty(path_); }

  private:
    std::string path_;
};

}  // namespace

TEST_CASE("root records into no folder that another user has made", "[permissions]") {
    if (!is_root()) return;
    const OtherUser user;
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    fs::create_directory(trace);
    REQUIRE(user.give(trace));
    const RunResult refused = record(trace, {"/bin/echo", "ran"});
    check_refusal(refused);
    CHECK(contains(refused.err, "belongs to user " + std::to_string(user.id())));
    CHECK(fs::is_empty(trace));
    // The user's own is another matter.
    REQUIRE(user.give(folder.path()));
    RunOptions options;
    options.before_exec = [&] { return user.become(); };
    const RunResult run =
        run_program({user.cowscope(), "record", "-o", trace, "--", "/bin/echo", "ran"}, options);
    CAPTURE(run.err);
    CHECK(run.status() == 0);
    CHECK_FALSE(fs::is_empty(trace));
}

TEST_CASE("what a user puts into the way of a recording is refused or left alone",
          "[permissions]") {
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    const Treasure treasure(folder / "treasure");
    SECTION("a link to a folder with something in it") {
        std::ofstream(treasure.path() + "/secret") << "secret";
        fs::create_directory_symlink(treasure.path(), trace);
        check_refusal(record(trace, {"/bin/echo", "ran"}));
        CHECK(std::distance(fs::directory_iterator(treasure.path()), {}) == 1);
    }
    SECTION("a link to nothing") {
        fs::create_symlink(treasure.path() + "/new", trace);
        check_refusal(record(trace, {"/bin/echo", "ran"}));
        CHECK(treasure.is_untouched());
    }
    SECTION("a FIFO") {
        REQUIRE(mkfifo(trace.c_str(), 0666) == 0);
        check_refusal(record(trace, {"/bin/echo", "ran"}));
    }
    SECTION("a folder with a FIFO or a link in it") {
        fs::create_directory(trace);
        REQUIRE(mkfifo((trace + "/recording.json").c_str(), 0666) == 0);
        fs::create_symlink(treasure.path() + "/new", trace + "/recording.json.tmp");
        check_refusal(record(trace, {"/bin/echo", "ran"}));
        CHECK(treasure.is_untouched());
    }
}

TEST_CASE("a link that takes the place of the trace folder meanwhile is not followed",
          "[permissions]") {
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    const std::string away = folder / "away";
    const Treasure treasure(folder / "treasure");
    // Forks and programs behind it, and time for a look from outside.
    const std::string go = folder / "go";
    const std::string script = "(x=1; :); while [ ! -e " + go +
                               " ]; do sleep 0.01; done; (y=2; :); /bin/sh -c '(z=3; :)'; "
                               "sleep 0.6; echo here; exit 5";
    RunOptions options;
    options.when_started = [&](pid_t) {
        constexpr int kMostTries = 10'000;
        for (int i = 0; i < kMostTries && !has_segment(trace); ++i) usleep(1000);
        fs::rename(trace, away);
        fs::create_directory_symlink(treasure.path(), trace);
        std::ofstream(go).put('\n');
    };
    const RunResult run = record(trace, {"/bin/sh", "-c", script}, options);
    CAPTURE(run.err);
    CHECK(run.status() == 5);
    CHECK(run.out == "here\n");
    CHECK(contains(run.err, trace + " was deleted while the program ran"));
    CHECK(treasure.is_untouched());
    // What was recorded until then is where it was put.
    const Json report = report_json(away);
    CHECK(processes_of(report, "root").size() == 1);
}

TEST_CASE("what root records in a user's folder is root's alone", "[permissions]") {
    if (!is_root()) return;
    const OtherUser user;
    const TemporaryFolder folder;
    REQUIRE(user.give(folder.path()));
    const std::string trace = folder / "t.cow";
    REQUIRE(record(trace, {kPageWriter, "--children", "2"}).status() == 0);
    struct stat status {};
    REQUIRE(lstat(trace.c_str(), &status) == 0);
    CHECK(status.st_uid == 0);
    CHECK((status.st_mode & 07777) == 0700);
    size_t files = 0;
    for (const auto& entry : fs::directory_iterator(trace)) {
        CAPTURE(entry.path());
        REQUIRE(lstat(entry.path().c_str(), &status) == 0);
        CHECK(S_ISREG(status.st_mode));
        CHECK(status.st_uid == 0);
        CHECK(status.st_nlink == 1);
        CHECK((status.st_mode & 07777) == 0600);
        ++files;
    }
    CHECK(files >= 4);
    // The user cannot so much as list it.
    RunOptions options;
    options.before_exec = [&] { return user.become(); };
    check_refusal(run_program({user.cowscope(), "report", trace}, options));
}

TEST_CASE("without the recorder root writes through no link, and into no folder of another user's",
          "[permissions]") {
    if (!is_root()) return;
    const OtherUser user;
    const TemporaryFolder folder;
    REQUIRE(user.give(folder.path()));
    const std::string trace = folder / "t.cow";
    const Treasure treasure(folder / "treasure");
    RunOptions options;
    options.environment = {"LD_PRELOAD=" + kShim, "COWSCOPE_OUTPUT=" + trace};
    const Words program = {kPageWriter, "--children", "2"};
    bool is_refused = true;
    SECTION("a link to a folder of root's") {
        fs::create_directory_symlink(treasure.path(), trace);
    }
    SECTION("a link to a folder of the user's") {
        REQUIRE(user.give(treasure.path()));
        fs::create_directory_symlink(treasure.path(), trace);
    }
    SECTION("a folder of the user's") {
        fs::create_directory(trace);
        REQUIRE(user.give(trace));
    }
    SECTION("root's own") {
        fs::create_directory(trace);
        is_refused = false;
    }
    SECTION("none yet") {
        is_refused = false;
    }
    const RunResult run = run_program(program, options);
    CAPTURE(run.err);
    CHECK(run.status() == 0);
    CHECK(treasure.is_untouched());
    if (is_refused) {
        CHECK(contains(run.err, "cowscope: cannot record: cannot write into the folder"));
        if (!fs::is_symlink(trace)) CHECK(fs::is_empty(trace));
    } else {
        CHECK(run.err.empty());
        CHECK(processes_of(report_json(trace), "fork").size() == 2);
    }
}

TEST_CASE("a trace that is not named is the newest of this user's own, and said to be",
          "[permissions]") {
    if (!is_root()) return;
    const OtherUser user;
    const TemporaryFolder folder;
    REQUIRE(record(folder / "own.cow", {"/bin/echo", "own"}).status() == 0);
    // Newer, and another user's: a folder, and a link to root's own that the user has made.
    fs::create_directory(folder / "theirs.cow");
    std::ofstream(folder / "theirs.cow/process-1-1.cowseg") << "COWSCOPE";
    REQUIRE(user.give(folder / "theirs.cow"));
    const TemporaryFolder elsewhere;
    REQUIRE(record(elsewhere / "t.cow", {"/bin/echo", "elsewhere"}).status() == 0);
    fs::create_directory_symlink(elsewhere / "t.cow", folder / "linked.cow");
    REQUIRE(lchown((folder / "linked.cow").c_str(), user.id(), user.id()) == 0);
    RunOptions options;
    options.folder = folder.path();
    for (const Words& command : {Words{"report"}, Words{"check", "--max-copied", "1G"},
                                 Words{"html", "-o", "-"}, Words{"export", "--format", "jsonl"}}) {
        CAPTURE(command);
        const RunResult run = run_cowscope(command, options);
        CAPTURE(run.err);
        CHECK(run.status() == 0);
        CHECK(contains(run.err, "cowscope: own.cow, the newest trace here"));
        CHECK(run_cowscope(joined(command, {"--quiet"}), options).err.empty());
    }
    fs::remove_all(folder / "own.cow");
    const RunResult none = run_cowscope({"report"}, options);
    check_refusal(none);
    CHECK(contains(none.err, "no *.cow folder of this user's"));
}
