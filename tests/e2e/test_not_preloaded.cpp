// Programs into which the dynamic loader does not put the shim: they run as ever, and one line says
// why nothing was recorded.
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <filesystem>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/other_user.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

void check_not_recorded(const RunResult& run, const RunResult& alone, const std::string& reason) {
    CAPTURE(run.out, run.err, alone.err);
    CHECK(alone.status() == 7);
    CHECK(run.status() == 7);
    CHECK(run.out == alone.out);
    CHECK(run.err.rfind("cowscope: nothing was recorded: ", 0) == 0);
    CHECK(contains(run.err, "did not load the shim, because " + reason));
}

}  // namespace

TEST_CASE("a static program runs as ever, and one line says why nothing was recorded",
          "[hostile]") {
    const std::string command = GENERATE(std::string("run"), "record");
    const TemporaryFolder folder;
    const Words program = {program_of_tests("static_program")};
    const RunResult alone = run_program(program);
    const RunResult run =
        run_cowscope(joined({command, "--quiet", "-o", folder / "t.cow", "--"}, program));
    check_not_recorded(run, alone, "it is statically linked");
    CHECK(line_count(run.err) == 1);
}

TEST_CASE("a setuid program keeps its rights, and one line says why nothing was recorded",
          "[hostile]") {
    if (geteuid() != 0) {
        WARN("SKIPPED: only root can make a setuid program for another user");
        return;
    }
    const std::string command = GENERATE(std::string("run"), "record");
    const OtherUser user;
    const TemporaryFolder folder;
    REQUIRE(user.give(folder.path()));
    // Root's, in a folder that the user can reach.
    const fs::path program = fs::path(user.cowscope()).parent_path() / "setuid_program";
    fs::copy_file(program_of_tests("dynamic_program"), program);
    REQUIRE(chmod(program.c_str(), 04755) == 0);
    struct statvfs system {};
    REQUIRE(statvfs(program.c_str(), &system) == 0);
    if ((system.f_flag & ST_NOSUID) != 0) {
        WARN("SKIPPED: the temporary folder allows no setuid programs");
        return;
    }
    RunOptions options;
    options.before_exec = [&] { return user.become(); };
    const RunResult alone = run_program({program.string()}, options);
    CHECK(alone.out == "here as 0\n");
    const RunResult run = run_program(
        {user.cowscope(), command, "--quiet", "-o", folder / "t.cow", "--", program.string()},
        options);
    check_not_recorded(run, alone, "it is setuid");
    CHECK(line_count(run.err) == 1);
}
