// The text report as its reader sees it.
#include <cstdlib>
#include <sstream>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

// Characters of UTF-8.
size_t columns_of(const std::string& line) {
    size_t columns = 0;
    for (const char c : line) columns += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
    return columns;
}

void check_width(const std::string& text, size_t most) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        CAPTURE(line);
        CHECK(columns_of(line) <= most);
        CHECK((line.empty() || line.back() != ' '));
    }
}

}  // namespace

TEST_CASE("without a fork there was nothing to copy, and the report says so", "[text]") {
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {"/bin/true"});
    const RunResult text = run_cowscope({"report", folder / "t.cow"});
    CHECK(text.status() == 0);
    CHECK(contains(text.out, "No process forked"));
    CHECK_FALSE(contains(text.out, "tracker"));
}

TEST_CASE("code without symbols is said to have none", "[text]") {
    const TemporaryFolder folder;
    const std::string stripped = folder / "stripped";
    const RunResult copy = run_program({"strip", "--strip-all", "-o", stripped, kStringMap});
    REQUIRE(copy.status() == 0);
    record_successfully(folder / "t.cow", {stripped, "--entries", "20000", "--children", "1"});
    const RunResult text = run_cowscope({"report", folder / "t.cow"});
    CAPTURE(text.out);
    CHECK(contains(text.out, "(no symbol) (stripped)"));
}

TEST_CASE("every table fits a terminal of 80 columns", "[text]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {python, kPythonWorkload, "--entries", "20000"});
    for (const std::string by : {"cause", "site", "type", "owner", "process"}) {
        const RunResult text = run_cowscope({"report", folder / "t.cow", "--by", by});
        CAPTURE(by);
        CHECK(text.status() == 0);
        CHECK(line_count(text.out) > 5);
        check_width(text.out, 80);
    }
}
