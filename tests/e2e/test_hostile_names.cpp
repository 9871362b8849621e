// Names that wish us ill, from a real program into each command's output; and who may read what is
// made of a trace.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/printable.h"
#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"

using namespace cowscope;
using namespace cowscope::e2e;
namespace fs = std::filesystem;

namespace {

const std::string kProgram = COWSCOPE_SOURCE_DIR "/tests/e2e/programs/hostile_names.py";

void check_plain(const std::string& text) {
    CAPTURE(text.substr(0, 4000));
    CHECK(printable(text, LineBreaks::stay) == text);
}

// Both streams, of a command that has something to say of those names.
void check_outputs(const Words& arguments, bool is_said = true) {
    CAPTURE(arguments);
    const RunResult result = run_cowscope(arguments);
    check_plain(result.out);
    check_plain(result.err);
    CHECK(contains(result.out + result.err, "pwn") == is_said);
}

std::string mode_of(const std::string& path) {
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    std::string mode;
    for (int shift = 6; shift >= 0; shift -= 3) {
        mode += static_cast<char>('0' + (status.st_mode >> shift & 7));
    }
    return mode;
}

}  // namespace

TEST_CASE("no command's output holds a name that is more than text", "[hostile][names]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    const TemporaryFolder folder;
    // The folder's own name is one of them.
    const std::string trace = folder / "pwn\x1b[31m\xc2\x9b\xe2\x80\xae\xff.cow";
    const RunResult recorded = run_cowscope({"run", "-o", trace, "--", python, kProgram});
    REQUIRE(recorded.status() == 0);
    check_plain(recorded.err);
    CHECK(contains(recorded.err, "pwn"));

    for (const char* by : {"cause", "site", "type", "owner", "process"}) {
        // That of processes has no names.
        const bool is_said = std::string(by) != "process";
        check_outputs({"report", trace, "--by", by, "--top", "100"}, is_said);
        check_outputs({"report", trace, "--by", by, "--native"}, is_said);
    }
    check_outputs({"report", trace, "--format", "json"});
    check_outputs({"diff", trace, trace});
    check_outputs({"diff", trace, trace, "--format", "json"});
    check_outputs({"check", trace, "--max-copied", "1M"}, false);
    check_outputs({"dump", trace});
    for (const char* format : {"collapsed", "jsonl", "speedscope"}) {
        check_outputs({"export", trace, "--format", format});
    }
    const std::string page = folder / "pwn\xc2\x9d.html";
    check_outputs({"html", trace, "-o", page});
    CHECK_FALSE(contains(read_file(page), "\xc2\x9d"));
}

TEST_CASE("no error holds a name that is more than text", "[hostile][names]") {
    const TemporaryFolder folder;
    const std::string bad = "pwn\x1b]0;\x07\xc2\x9d\xe2\x80\xae\xe2\x80\xa8\xff";
    for (const Words& arguments :
         {Words{bad}, Words{"report", folder / bad}, Words{"report", "--" + bad},
          Words{"report", "--by", bad}, Words{"report", folder.path(), bad},
          Words{"diff", folder / bad, folder / bad},
          Words{"check", folder / bad, "--max-copied", bad},
          Words{"check", folder / bad, "--max-cause", bad}, Words{"dump", folder / bad},
          Words{"export", folder / bad, "--format", bad}, Words{"html", folder / bad},
          Words{"record", "--tracker", bad, "--", "true"}, Words{"record", "--", folder / bad},
          Words{"record", "-o", folder / (bad + "/x/y"), "--", "true"},
          Words{"doctor", "--format", bad}}) {
        CAPTURE(arguments);
        const RunResult result = run_cowscope(arguments);
        check_refusal(result);
        check_plain(result.err);
        CHECK(contains(result.err, "pwn"));
    }
    RunOptions options;
    options.environment = {"COWSCOPE_SHIM=/nowhere/" + bad, "COWSCOPE_TRACKER=" + bad};
    const RunResult doctor = run_cowscope({"doctor"}, options);
    check_plain(doctor.out);
    check_plain(doctor.err);
}

TEST_CASE("what is made of a trace is for its owner alone", "[hostile][names]") {
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    record_successfully(trace, {kStringMap, "--entries", "1000", "--children", "1"});
    RunOptions options;
    options.before_exec = [] {
        umask(0);
        return true;
    };
    const std::string page = folder / "t.html";
    const std::string older = folder / "older.html";
    REQUIRE(run_cowscope({"html", trace, "-o", page}, options).status() == 0);
    CHECK(mode_of(page) == "600");
    // One that all could read is replaced by one that they cannot.
    fs::copy_file(page, older);
    fs::permissions(older, fs::perms(0644));
    REQUIRE(run_cowscope({"html", trace, "-o", older}, options).status() == 0);
    CHECK(mode_of(older) == "600");
    REQUIRE(run_cowscope({"html", "--diff", trace, trace, "-o", page}, options).status() == 0);
    CHECK(mode_of(page) == "600");
    for (const std::string format : {"pprof", "collapsed", "jsonl", "speedscope"}) {
        const std::string file = folder / format;
        REQUIRE(run_cowscope({"export", trace, "--format", format, "-o", file}, options).status() ==
                0);
        CHECK(mode_of(file) == "600");
    }
}
