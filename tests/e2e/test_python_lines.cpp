// Python lines: which line of the program copied, on every interpreter of this machine.
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

// The number of the first line of FILE that holds TEXT.
unsigned line_with(const std::string& file, const std::string& text) {
    std::ifstream lines(file);
    std::string line;
    for (unsigned number = 1; std::getline(lines, line); ++number) {
        if (contains(line, text)) return number;
    }
    return 0;
}

bool ends_with(const std::string& text, const std::string& end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

void check_reading_line(const std::string& python) {
    CAPTURE(python);
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {python, kPythonWorkload, "--entries", "100000",
                                           "--unique", "300", "--processes", "2"});
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    CAPTURE(report["notes"].dump(1));
    const unsigned reading_line = line_with(kPythonWorkload, "value = global_map[str(i)]");
    REQUIRE(reading_line != 0);
    uint64_t of_str = 0;
    uint64_t at_line = 0;
    bool has_example = false;
    std::string where;
    for (const Json& site : report["sites"]) {
        if (site["cause"] != "refcount" || site["type"] != "str") continue;
        const auto pages = site["pages"].get<uint64_t>();
        of_str += pages;
        if (site["python"].empty()) continue;
        const Json& innermost = site["python"][0];
        const bool is_reader = innermost["function"] == "read_map" &&
                               ends_with(innermost["file"], "string_map.py") &&
                               innermost["line"] == reading_line;
        if (!is_reader) continue;
        at_line += pages;
        has_example = has_example || !site["examples"].empty();
        if (where.empty()) {
            for (const Json& frame : site["python"]) {
                where += frame["function"].get<std::string>() + " ";
            }
        }
    }
    CAPTURE(of_str, at_line, where);
    // 100,000 values of at least 48 bytes in two workers.
    CHECK(of_str > 2 * 100'000 / 4096 * 48);
    CHECK(static_cast<double>(at_line) >= 0.95 * static_cast<double>(of_str));
    CHECK(has_example);
    // The whole way from the line to the program's start.
    CHECK(contains(where, "read_map work worker "));
    CHECK(contains(where, "run_workers main <module>"));
}

// The shared library of a pyenv interpreter; "" where it has none.
std::string library_of(const std::string& python) {
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path folder = fs::path(python).parent_path().parent_path() / "lib";
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const std::string name = entry.path().filename().string();
        if (name.rfind("libpython3.", 0) == 0 && ends_with(name, ".so.1.0")) return entry.path();
    }
    return "";
}

// An interpreter that came after the program's start, and only for the program itself.
void check_embedded(const std::string& python) {
    const std::string library = library_of(python);
    COWSCOPE_REQUIRE_INTERPRETER(library, "shared library of this Python");
    CAPTURE(library);
    const TemporaryFolder folder;
    const std::string script =
        "import os\n"
        "values = ['%010d' % i for i in range(60000)]\n"
        "def read_all():\n"
        "    for value in values:\n"
        "        pass\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    read_all()\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "os._exit(0)\n";
    const std::string home = std::filesystem::path(python).parent_path().parent_path();
    RunOptions options;
    options.environment = {"PYTHONHOME=" + home};
    record_successfully(folder / "t.cow", {COWSCOPE_E2E_PROGRAMS "/python_host", library, script},
                        options);
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    uint64_t pages = 0;
    for (const Json& site : report["sites"]) {
        if (site["python"].empty() || site["type"] != "str") continue;
        const Json& innermost = site["python"][0];
        if (innermost["function"] == "read_all" && innermost["line"] == 4) {
            pages += site["pages"].get<uint64_t>();
        }
    }
    CAPTURE(report["causes"].dump(1), report["notes"].dump(1));
    CHECK(pages > 60'000 / 4096 * 56);
}

// Without values the trace holds none of them, whoever asks.
void check_no_values(const std::string& python) {
    const TemporaryFolder folder;
    const RunResult run = run_cowscope({"record", "--no-values", "-o", folder / "t.cow", "--",
                                        python, kPythonWorkload, "--entries", "20000"});
    REQUIRE(run.status() == 0);
    const Json report = report_json(folder / "t.cow");
    for (const Json& site : report["sites"]) CHECK(site["examples"].empty());
    const RunResult dump = run_cowscope({"dump", folder / "t.cow"});
    CHECK_FALSE(contains(dump.out, " python_value "));
    CHECK(contains(dump.out, " python_stack "));
}

// Code that is thrown away, of which each piece takes the place of the one before it.
constexpr unsigned kPieces = 12;
constexpr uint64_t kReadsOfPiece = 40;

Json record_short_lived(const std::string& python, const std::string& script) {
    const TemporaryFolder folder;
    const RunResult run = record_successfully(
        folder / "t.cow",
        {python, COWSCOPE_SOURCE_DIR "/tests/e2e/programs/" + script, std::to_string(kPieces)});
    // Else it proves nothing.
    CAPTURE(run.out);
    CHECK(std::stoul(run.out) < kPieces);
    Json report = report_json(folder / "t.cow");
    check_consistent(report);
    return report;
}

void check_reads_of_piece(uint64_t pages) {
    // Two values may lie on one page, with a header of malloc's each.
    CHECK(pages <= kReadsOfPiece + 1);
    CHECK(pages + 2 >= kReadsOfPiece);
}

void check_short_lived_code(const std::string& python) {
    CAPTURE(python);
    const Json report = record_short_lived(python, "short_lived_code.py");
    std::map<std::pair<std::string, unsigned>, uint64_t> pages;
    for (const Json& site : report["sites"]) {
        if (site["python"].empty() || site["type"] != "str") continue;
        const Json& innermost = site["python"][0];
        if (innermost["file"] != "made.py") continue;
        pages[{innermost["function"], innermost["line"]}] += site["pages"].get<uint64_t>();
    }
    for (unsigned number = 0; number < kPieces; ++number) {
        for (const unsigned line : {3u, 5u}) {
            const std::string name = fmt::format("reader_{}", number);
            CAPTURE(name, line);
            check_reads_of_piece(pages[{name, line + number}]);
        }
    }
}

void check_short_lived_files(const std::string& python) {
    CAPTURE(python);
    const Json report = record_short_lived(python, "short_lived_files.py");
    std::map<std::string, uint64_t> pages;
    for (const Json& site : report["sites"]) {
        if (site["python"].empty() || site["type"] != "str") continue;
        const Json& innermost = site["python"][0];
        if (innermost["line"] == 2) pages[innermost["file"]] += site["pages"].get<uint64_t>();
    }
    for (unsigned number = 0; number < kPieces; ++number) {
        const std::string file = fmt::format("/jobs/job_{:02}/main.py", number);
        CAPTURE(file);
        check_reads_of_piece(pages[file]);
    }
}

}  // namespace

TEST_CASE("an interpreter that was loaded later is looked at like others", "[python-lines]") {
    for (const int minor : {6, 9, 11, 13}) {
        const std::string python = newest_of_pyenv("3." + std::to_string(minor));
        COWSCOPE_REQUIRE_INTERPRETER(python, "Python of pyenv");
        check_embedded(python);
    }
}

// What an interpreter that has ended left behind is never read: its memory may be gone.
TEST_CASE("interpreters that end and start anew in a child", "[python-lines]") {
    const std::string script =
        "values = ['%010d' % i for i in range(60000)]\n"
        "def read_all():\n"
        "    for value in values:\n"
        "        pass\n";
    for (const int minor : {6, 9, 11, 13}) {
        const std::string python = newest_of_pyenv("3." + std::to_string(minor));
        COWSCOPE_REQUIRE_INTERPRETER(python, "Python of pyenv");
        const std::string library = library_of(python);
        COWSCOPE_REQUIRE_INTERPRETER(library, "shared library of this Python");
        CAPTURE(library);
        const TemporaryFolder folder;
        RunOptions options;
        options.environment = {"PYTHONHOME=" +
                               std::filesystem::path(python).parent_path().parent_path().string()};
        record_successfully(folder / "t.cow",
                            {COWSCOPE_E2E_PROGRAMS "/python_host", library, script, "again"},
                            options);
        const Json report = report_json(folder / "t.cow");
        check_consistent(report);
        uint64_t by_python = 0;
        uint64_t after_end = 0;
        for (const Json& site : report["sites"]) {
            const uint64_t pages = site["pages"].get<uint64_t>();
            if (site["function"].get<std::string>().find("write_after_end") != std::string::npos) {
                after_end += pages;
                CHECK(site["python"].empty());
            }
            if (!site["python"].empty() && site["python"][0]["function"] == "read_all") {
                by_python += pages;
            }
        }
        CHECK(after_end >= 4 * 200);
        // 60,000 strs of 64 bytes, or less.
        CHECK(by_python >= 60'000 * 56 / 4096);
    }
}

TEST_CASE("the text names code that has no name of its own as Python does", "[python-lines]") {
    const std::string python = pyenv_python_3_11();
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.11 of pyenv");
    const TemporaryFolder folder;
    const std::string script =
        "import os\n"
        "values = ['%010d' % i for i in range(60000)]\n"
        "def outer():\n"
        "    def inner():\n"
        "        read = lambda: sum(len(value) for value in values)\n"
        "        return read()\n"
        "    return inner()\n"
        "if os.fork() == 0:\n"
        "    outer()\n"
        "    os._exit(0)\n"
        "assert os.wait()[1] == 0\n";
    record_successfully(folder / "t.cow", {python, "-c", script});
    const RunResult report = run_cowscope({"report", folder / "t.cow"});
    REQUIRE(report.status() == 0);
    CAPTURE(report.out);
    CHECK(contains(report.out, "outer.<locals>.inner.<locals>.<lambda>.<locals>.<genexpr> (<str"));
    CHECK(contains(report.out, "< outer.<locals>.inner.<locals>.<lambda> (<string>:5)"));
    CHECK(contains(report.out, "< outer.<locals>.inner (<string>:6)"));
}

TEST_CASE("with --no-values no value is kept", "[python-lines]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    check_no_values(python);
}

#define COWSCOPE_LINES_OF(minor)                                                                \
    TEST_CASE("Python 3." #minor " of pyenv: the line that reads is named", "[python-lines]") { \
        const std::string python = newest_of_pyenv("3." + std::to_string(minor));               \
        COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3." #minor " of pyenv");                   \
        check_reading_line(python);                                                             \
    }

COWSCOPE_LINES_OF(6)
COWSCOPE_LINES_OF(7)
COWSCOPE_LINES_OF(8)
COWSCOPE_LINES_OF(9)
COWSCOPE_LINES_OF(10)
COWSCOPE_LINES_OF(11)
COWSCOPE_LINES_OF(12)
COWSCOPE_LINES_OF(13)

TEST_CASE("Debian's Python: the line that reads is named", "[python-lines]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    check_reading_line(python);
}
TEST_CASE("Debian's Python 3.13: the line that reads is named", "[python-lines]") {
    const std::string python = unpacked_python("trixie", "3.13");
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.13 of Debian trixie");
    check_reading_line(python);
}
TEST_CASE("Debian's Python 3.14: the line that reads is named", "[python-lines]") {
    const std::string python = unpacked_python("forky", "3.14");
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.14 of Debian forky");
    check_reading_line(python);
}

TEST_CASE("functions that take each other's place are told apart", "[python-lines]") {
    with_each_python(check_short_lived_code);
}

TEST_CASE("files that take each other's place are told apart", "[python-lines]") {
    with_each_python(check_short_lived_files);
}
