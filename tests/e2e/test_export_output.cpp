// Where exports go, and what is wrong with them.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/recorded_export.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/terminal.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kFormats = {"pprof", "collapsed", "speedscope", "jsonl"};

void check_refused(const Words& arguments, const Words& parts, const std::string& folder) {
    CAPTURE(arguments);
    RunOptions options;
    options.folder = folder;
    const RunResult result = run_cowscope(joined({"export"}, arguments), options);
    check_refusal(result);
    for (const std::string& part : parts) CHECK(contains(result.err, part));
}

std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
        names.push_back(entry.path().filename().string());
    }
    return names;
}

}  // namespace

TEST_CASE("an export goes to a file as it goes to standard output", "[export]") {
    const Recorded& recorded = recorded_cpp();
    for (const std::string& format : kFormats) {
        CAPTURE(format);
        const std::string text = recorded.exported(format);
        CHECK(content_of(recorded.exported_file(format)) == text);
        CHECK(run_cowscope({"export", recorded.trace(), "--format", format, "-o", "-"}).out ==
              text);
        // The newest trace here.
        RunOptions options;
        options.folder = recorded.folder.path().string();
        CHECK(run_cowscope({"export", "--format", format}, options).out == text);
    }
}

TEST_CASE("an export replaces a file when it is whole, and follows a link", "[export]") {
    const Recorded& recorded = recorded_cpp();
    const TemporaryFolder folder;
    std::ofstream(folder / "file") << "before";
    fs::create_symlink("file", folder / "link");
    CHECK(run_cowscope({"export", recorded.trace(), "--format", "collapsed", "-o", folder / "link"})
              .status() == 0);
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(content_of(folder / "file") == recorded.exported("collapsed"));
    CHECK(names_in(folder.path().string()).size() == 2);
    // What is no regular file stays what it is.
    CHECK(run_cowscope({"export", recorded.trace(), "--format", "collapsed", "-o", "/dev/null"})
              .status() == 0);
    CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("what is wrong with an export is one line and status 2", "[export][errors]") {
    const std::string trace = recorded_cpp().trace();
    const TemporaryFolder folder;
    const std::string here = folder.path().string();
    check_refused({trace, "--format", "nope"},
                  {"nope", "pprof", "collapsed", "speedscope", "jsonl"}, here);
    check_refused({trace}, {"--format", "pprof", "collapsed", "speedscope", "jsonl"}, here);
    check_refused({trace, "--nope"}, {"--nope"}, here);
    check_refused({"--format", "jsonl"}, {"no trace given"}, here);
    for (const std::string& format : kFormats) {
        check_refused({"nowhere.cow", "--format", format}, {"nowhere.cow"}, here);
        check_refused({"nowhere.cow", "--format", format, "-o", "out"}, {"nowhere.cow"}, here);
        check_refused({trace, "--format", format, "-o", "no/parent"}, {"no/parent", "No such file"},
                      here);
        check_refused({trace, "--format", format, "-o", here}, {here, "Is a directory"}, here);
        check_refused({trace, "--format", format, "-o", ""}, {"-o"}, here);
        check_refused({trace, "--format", format, "-o", "/dev/full"},
                      {"/dev/full", "No space left"}, here);
    }
    CHECK(fs::is_empty(folder.path()));

    fs::create_directory(folder / "damaged.cow");
    std::ofstream(folder / "damaged.cow/process-1-1.cowseg") << std::string(10'000, 'x');
    check_refused({"damaged.cow", "--format", "jsonl", "-o", "out"}, {"process-1-1.cowseg"}, here);
    CHECK_FALSE(fs::exists(folder / "out"));
}

TEST_CASE("an export that does not fit leaves the file that was there", "[export][errors]") {
    const TemporaryFolder folder;
    std::ofstream(folder / "out") << "before";
    RunOptions options;
    options.before_exec = [] {
        const rlimit limit{100, 100};
        return setrlimit(RLIMIT_FSIZE, &limit) == 0;
    };
    for (const std::string& format : kFormats) {
        CAPTURE(format);
        const RunResult result = run_cowscope(
            {"export", recorded_cpp().trace(), "--format", format, "-o", folder / "out"}, options);
        check_refusal(result);
        CHECK(contains(result.err, "File too large"));
        CHECK(content_of(folder / "out") == "before");
        CHECK(names_in(folder.path().string()).size() == 1);
    }
}

TEST_CASE("a full standard output is an error of an export", "[export][errors]") {
    RunOptions options;
    options.before_exec = [] {
        const int full = open("/dev/full", O_WRONLY);
        return full >= 0 && dup2(full, STDOUT_FILENO) == STDOUT_FILENO;
    };
    for (const std::string& format : kFormats) {
        CAPTURE(format);
        const RunResult result =
            run_cowscope({"export", recorded_cpp().trace(), "--format", format}, options);
        check_refusal(result);
        CHECK(contains(result.err, "standard output"));
    }
}

TEST_CASE("pprof's bytes do not go to a terminal", "[export][errors]") {
    const Terminal terminal;
    RunOptions options;
    options.before_exec = terminal.as({STDOUT_FILENO});
    const Words command = {"export", recorded_cpp().trace(), "--format"};
    const RunResult refused = run_cowscope(joined(command, {"pprof"}), options);
    check_refusal(refused);
    CHECK(contains(refused.err, "-o FILE"));
    CHECK(run_cowscope(joined(command, {"collapsed"}), options).status() == 0);
}

TEST_CASE("an export of a damaged trace says so and has what can be read", "[export][errors]") {
    const TemporaryFolder folder;
    fs::copy(recorded_cpp().trace(), folder / "t.cow");
    const std::string bad = folder / "t.cow/process-1-1.cowseg";
    std::ofstream(bad) << std::string(10'000, 'x');
    const RunResult result = run_cowscope({"export", folder / "t.cow", "--format", "collapsed"});
    CAPTURE(result.err);
    CHECK(result.status() == 0);
    CHECK(line_count(result.err) == 1);
    CHECK(contains(result.err, bad));
    CHECK(result.out == recorded_cpp().exported("collapsed"));
}
