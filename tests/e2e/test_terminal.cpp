// What is shown on a terminal only: progress and colour.
#include <unistd.h>

#include <filesystem>
#include <regex>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/recorded_export.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/terminal.h"

using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

const std::string kEscape = "\033";

// Copies pages in two children, and lives long enough for the recorder to say something.
const Words kLongProgram = {"/bin/sh", "-c", "(x=1; exec sleep 8) & (y=2; sleep 8; :) & wait"};

struct OnTerminal {
    RunResult run;
    std::string shown;
};

OnTerminal run_on_terminal(const Words& command, const std::vector<int>& descriptors,
                           const Words& environment = {}) {
    const Terminal terminal;
    RunOptions options;
    options.environment = joined({"TERM=xterm", "NO_COLOR="}, environment);
    options.before_exec = terminal.as(descriptors);
    const RunResult run = run_cowscope(command, options);
    return {run, terminal.take()};
}

}  // namespace

TEST_CASE("a long recording says on a terminal how far it is", "[terminal]") {
    const TemporaryFolder folder;
    const Words command = joined({"record", "-o", folder / "t.cow", "--"}, kLongProgram);
    const OnTerminal loud = run_on_terminal(command, {STDERR_FILENO});
    CAPTURE(loud.shown);
    CHECK(loud.run.status() == 0);
    CHECK(std::regex_search(
        loud.shown,
        std::regex("cowscope: [5-9] s: [3-9] processes, [2-9] running; [0-9,]+ pages, .* copied so "
                   "far, [0-9,]+ a second")));
    CHECK(contains(loud.shown, "recorded in"));
}

TEST_CASE("progress is kept from a terminal by --quiet, and there is none elsewhere",
          "[terminal]") {
    const TemporaryFolder folder;
    const OnTerminal quiet = run_on_terminal(
        joined({"record", "--quiet", "-o", folder / "t.cow", "--"}, kLongProgram), {STDERR_FILENO});
    CHECK(quiet.run.status() == 0);
    CHECK(quiet.shown.empty());
    const RunResult elsewhere =
        run_cowscope(joined({"record", "-o", folder / "u.cow", "--"}, kLongProgram));
    CHECK(elsewhere.status() == 0);
    CHECK_FALSE(contains(elsewhere.err, "running"));
    CHECK(contains(elsewhere.err, "recorded in"));
}

TEST_CASE("reading a big trace says on a terminal how far it is", "[terminal]") {
    // The same segment again and again, until this machine needs long enough for it.
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    fs::copy(recorded_cpp().trace(), trace, fs::copy_options::recursive);
    std::vector<fs::path> segments;
    for (const auto& entry : fs::directory_iterator(trace)) {
        if (entry.path().extension() == ".cowseg") segments.push_back(entry.path());
    }
    std::string shown;
    for (int copies = 1; copies < 5000 && !contains(shown, "reading"); copies *= 2) {
        for (int i = copies; i < 2 * copies; ++i) {
            for (const fs::path& segment : segments) {
                const std::string name = segment.stem().string() + std::to_string(i) + ".cowseg";
                fs::create_hard_link(segment, segment.parent_path() / name);
            }
        }
        const OnTerminal read = run_on_terminal({"report", trace}, {STDERR_FILENO});
        CHECK(read.run.status() == 0);
        shown = read.shown;
    }
    CAPTURE(shown);
    CHECK(std::regex_search(shown, std::regex("\rcowscope: reading [0-9.]+ [KMG]iB: [0-9]+ %")));
    // Gone in the end.
    const std::string end = "\r" + kEscape + "[K";
    REQUIRE(shown.size() > end.size());
    CHECK(shown.substr(shown.size() - end.size()) == end);

    CHECK(run_on_terminal({"report", "--quiet", trace}, {STDERR_FILENO}).shown.empty());
    CHECK(run_cowscope({"report", trace}).err.empty());
}

TEST_CASE("reports have colour on a terminal that is to have it", "[terminal]") {
    const Words command = {"report", recorded_cpp().trace()};
    CHECK(contains(run_on_terminal(command, {STDOUT_FILENO}).shown, kEscape));
    for (const std::string variable : {"NO_COLOR=1", "TERM=dumb"}) {
        CAPTURE(variable);
        const std::string plain = run_on_terminal(command, {STDOUT_FILENO}, {variable}).shown;
        CHECK(contains(plain, "refcount"));
        CHECK_FALSE(contains(plain, kEscape));
    }
    CHECK_FALSE(contains(run_cowscope(command).out, kEscape));
}
