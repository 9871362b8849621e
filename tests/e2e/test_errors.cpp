// Mistakes in the use of cowscope: one clear line, status 2, and nothing left behind.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/other_user.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

void check_refused(const Words& arguments, const std::vector<std::string>& said) {
    CAPTURE(arguments);
    const TemporaryFolder folder;
    RunOptions options;
    options.folder = folder.path().string();
    const RunResult result = run_cowscope(arguments, options);
    check_refusal(result);
    for (const std::string& part : said) {
        CAPTURE(part);
        CHECK(contains(result.err, part));
    }
    CHECK(fs::is_empty(folder.path()));
}

}  // namespace

TEST_CASE("an unknown option or command is one line and status 2", "[errors]") {
    check_refused({"--nope"}, {"--nope"});
    check_refused({"nope"}, {"nope", "run", "record", "report", "html", "dump", "doctor"});
    check_refused({}, {"command"});
    for (const std::string command : {"run", "record"}) {
        check_refused({command, "--nope", "--", "/bin/echo", "ran"}, {"--nope"});
        check_refused({command, "-x", "/bin/echo", "ran"}, {"-x"});
        check_refused({command}, {"program"});
        check_refused({command, "--"}, {"program"});
        check_refused({command, "-o"}, {"-o"});
    }
    for (const std::string command : {"report", "html", "dump", "doctor"}) {
        check_refused({command, "--nope"}, {"--nope"});
    }
    check_refused({"report", "one", "two"}, {"two"});
}

TEST_CASE("an unknown value is refused with the valid ones", "[errors]") {
    const Words program = {"--", "/bin/echo", "ran"};
    check_refused(joined({"run", "--tracker", "nope"}, program),
                  {"nope", "auto", "userfaultfd", "soft-dirty", "off"});
    check_refused(joined({"run", "--witness", "nope"}, program), {"nope", "auto", "trap", "off"});
    check_refused(joined({"record", "--sample", "0"}, program), {"0", "auto"});
    check_refused(joined({"record", "--sample", "many"}, program), {"many", "auto"});
    check_refused(joined({"record", "--max-stack", "0"}, program), {"0", "512"});
    check_refused(joined({"record", "--max-stack", "513"}, program), {"513", "512"});
    check_refused(joined({"record", "--max-trace", "512K"}, program), {"512K", "1M"});
    check_refused(joined({"run", "--max-trace", "much"}, program), {"much", "1M"});
    check_refused({"report", "--format", "nope", "t.cow"}, {"nope", "text", "json"});
    check_refused({"report", "--by", "nope", "t.cow"},
                  {"nope", "cause", "site", "type", "owner", "process"});
    check_refused({"report", "--top", "0", "t.cow"}, {"0"});
    check_refused({"report", "--process", "x", "t.cow"}, {"x"});
    check_refused({"doctor", "--format", "nope"}, {"nope", "text", "json"});
}

TEST_CASE("an unknown value in the environment is refused, too", "[errors]") {
    const std::string variable =
        GENERATE(std::string("COWSCOPE_TRACKER"), "COWSCOPE_WITNESS", "COWSCOPE_SAMPLE",
                 "COWSCOPE_MAX_STACK", "COWSCOPE_MAX_TRACE", "COWSCOPE_VALUES");
    CAPTURE(variable);
    const TemporaryFolder folder;
    RunOptions options;
    options.folder = folder.path().string();
    options.environment = {variable + "=nope"};
    const RunResult refused = run_cowscope({"run", "--", "/bin/echo", "ran"}, options);
    check_refusal(refused);
    CHECK(contains(refused.err, variable));
    CHECK(contains(refused.err, "nope"));

    // With nothing but the library, the program runs all the same.
    options.environment.push_back("LD_PRELOAD=" + kShim);
    const RunResult bare = run_program({"/bin/echo", "ran"}, options);
    CHECK(bare.status() == 0);
    CHECK(bare.out == "ran\n");
    CHECK(line_count(bare.err) == 1);
    CHECK(contains(bare.err, variable));
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a missing program is one line and status 2, and leaves no folder", "[errors]") {
    for (const std::string command : {"run", "record"}) {
        check_refused({command, "--", "/nowhere/program"}, {"/nowhere/program", "No such file"});
        check_refused({command, "cowscope-no-such-program"}, {"cowscope-no-such-program"});
        check_refused({command, "-o", "out.cow", "--", "/nowhere/program"}, {"/nowhere/program"});
        check_refused({command, "--", "/"}, {"'/'"});
        check_refused({command, "--", "/etc/passwd"}, {"/etc/passwd", "Permission denied"});
        check_refused({command, "--", ""}, {});
    }
}

TEST_CASE("an output folder that cannot be written is one line and status 2", "[errors]") {
    const TemporaryFolder folder;
    std::ofstream(folder / "file") << "text";
    fs::create_directory(folder / "full");
    std::ofstream(folder / "full/something") << "text";
    for (const std::string command : {"run", "record"}) {
        for (const std::string& output :
             {folder / "file", folder / "file/inside", folder / "no/parent", folder / "full",
              std::string("/proc/cowscope"), std::string("/dev/null"), std::string(5000, 'x')}) {
            check_refused({command, "-o", output, "--", "/bin/echo", "ran"},
                          {output.substr(0, 99)});
        }
        check_refused({command, "-o", "", "--", "/bin/echo", "ran"}, {"-o"});
    }
    CHECK(fs::file_size(folder / "file") == 4);
}

TEST_CASE("a folder that belongs to someone else is no output folder", "[errors]") {
    const TemporaryFolder folder;
    fs::create_directory(folder / "closed");
    chmod((folder / "closed").c_str(), 0555);
    const OtherUser user;
    user.let_through(folder.path());
    RunOptions options;
    options.before_exec = [&] { return user.become(); };
    const RunResult inside = run_program(
        {user.cowscope(), "record", "-o", folder / "closed/t.cow", "--", "/bin/echo", "ran"},
        options);
    check_refusal(inside);
    CHECK(contains(inside.err, "closed/t.cow"));
    CHECK(contains(inside.err, "Permission denied"));
    // The folder itself, empty as it is, and the default one in it.
    check_refusal(run_program(
        {user.cowscope(), "record", "-o", folder / "closed", "--", "/bin/echo", "ran"}, options));
    options.folder = folder / "closed";
    check_refusal(run_program({user.cowscope(), "run", "--", "/bin/echo", "ran"}, options));
    CHECK(fs::is_empty(folder / "closed"));
}

TEST_CASE("a trace that is none is one line and status 2", "[errors]") {
    const TemporaryFolder folder;
    std::ofstream(folder / "file") << "text";
    fs::create_directory(folder / "empty");
    fs::create_directory(folder / "other");
    std::ofstream(folder / "other/notes.txt") << "text";
    fs::create_directory(folder / "recording");
    std::ofstream(folder / "recording/recording.json") << "{}";
    for (const std::string& trace :
         {folder / "nowhere", folder / "file", folder / "empty", folder / "other",
          folder / "recording", std::string("/dev/null")}) {
        check_refused({"report", trace}, {trace});
        check_refused({"report", trace, "--format", "json"}, {trace});
        check_refused({"dump", trace}, {trace});
        check_refused({"check", trace, "--max-copied", "1M"}, {trace});
        check_refused({"diff", trace, trace}, {trace});
    }
    // No trace given, and none in the current folder.
    check_refused({"report"}, {"trace"});
    check_refused({"dump"}, {"trace"});
    check_refused({"check", "--max-copied", "1M"}, {"trace"});
    check_refused({"diff", "one.cow"}, {"AFTER"});
    check_refused({"check", "one.cow"}, {"--max-copied", "--max-cause"});
    check_refused({"check", "one.cow", "--max-copied", "1X"}, {"--max-copied", "1X"});
    check_refused({"check", "one.cow", "--max-cause", "hope=1M"}, {"hope", "refcount"});
    check_refused({"check", "one.cow", "--max-cause", "refcount"}, {"CAUSE=SIZE"});
}

TEST_CASE("a segment that is none is one line and status 2", "[errors]") {
    const TemporaryFolder folder;
    const std::string segment = folder / "process-1-1.cowseg";
    SECTION("empty") {
        std::ofstream file(segment);
    }
    SECTION("text") {
        std::ofstream(segment) << std::string(10'000, 'x');
    }
    SECTION("zeros") {
        std::ofstream(segment) << std::string(10'000, '\0');
    }
    SECTION("half a header") {
        std::ofstream(segment) << "COWSCOPE" << std::string(20, '\1');
    }
    SECTION("a folder") {
        fs::create_directory(segment);
    }
    SECTION("a pipe that nobody writes to") {
        REQUIRE(mkfifo(segment.c_str(), 0600) == 0);
    }
    SECTION("a link to nowhere") {
        fs::create_symlink("/nowhere", segment);
    }
    const RunResult report = run_cowscope({"report", folder.path().string()});
    check_refusal(report);
    CHECK(contains(report.err, segment));
    const RunResult dump = run_cowscope({"dump", folder.path().string()});
    CHECK_FALSE(dump.timed_out);
    CHECK((dump.status() == 0 || dump.status() == 2));
    CHECK(line_count(dump.out + dump.err) == 1);
}

TEST_CASE("a process that the trace does not have is one line and status 2", "[errors]") {
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {"/bin/true"});
    const RunResult result = run_cowscope({"report", folder / "t.cow", "--process", "1"});
    check_refusal(result);
    CHECK(contains(result.err, "process 1"));
}

TEST_CASE("asking for an instrument that is not there says why", "[errors]") {
    check_refused({"run", "--tracker", "soft-dirty", "--", "/bin/echo", "ran"}, {"soft-dirty"});
}
