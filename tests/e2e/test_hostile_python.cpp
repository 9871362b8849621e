// Interpreters that are left in a state in which what they name is not there any more.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/run_program.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

void check_abandoned_call(const std::string& python, const std::string& way) {
    CAPTURE(python, way);
    const TemporaryFolder folder;
    const Words program = {python, COWSCOPE_SOURCE_DIR "/tests/e2e/programs/abandoned_calls.py",
                           COWSCOPE_E2E_PROGRAMS "/libabandoned_calls.so", way};
    const std::string exits_with_7 = std::to_string(7 << 8) + "\n";
    REQUIRE(run_program(program).out == exits_with_7);
    const RunResult run = record_successfully(folder / "t.cow", program);
    CHECK(run.out == exits_with_7);
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    uint64_t by_c = 0;
    uint64_t by_python = 0;
    for (const Json& site : report["sites"]) {
        const uint64_t pages = site["pages"].get<uint64_t>();
        if (contains(site["function"].get<std::string>(), "write_and_end")) by_c += pages;
        if (!site["python"].empty() && site["python"][0]["function"] == "write_and_leave") {
            by_python += pages;
        }
    }
    CHECK(by_c == 100);
    CHECK(by_python >= 100);
}

// Each of three classes at one address wrote as much.
void check_short_lived_types(const std::string& python) {
    CAPTURE(python);
    const TemporaryFolder folder;
    const RunResult run = record_successfully(
        folder / "t.cow",
        {python, COWSCOPE_SOURCE_DIR "/tests/e2e/programs/short_lived_types.py", "20000"});
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    CAPTURE(run.out, report["causes"].dump(1));
    std::vector<uint64_t> pages;
    for (const char* name : {"app.Alpha", "app.Gamma", "app.Delta"}) {
        uint64_t of_type = 0;
        for (const Json& cause : report["causes"]) {
            for (const Json& type : cause["types"]) {
                if (type["type"] == name) of_type += type["pages"].get<uint64_t>();
            }
        }
        pages.push_back(of_type);
    }
    const auto [least, most] = std::minmax_element(pages.begin(), pages.end());
    // 20,000 objects of 48 bytes at least.
    CHECK(*least >= 20'000 * 48 / 4096 * 8 / 10);
    CHECK(*most <= *least * 12 / 10);
}

}  // namespace

TEST_CASE("a class at the address of one that was freed has its own name", "[hostile]") {
    with_each_python(check_short_lived_types);
}

TEST_CASE("calls that Python never returns from do no harm", "[hostile]") {
    const std::string way =
        GENERATE(std::string("call_and_jump_out"), "call_on_freed_stack", "call_on_moved_stack");
    with_each_python([&](const std::string& python) { check_abandoned_call(python, way); });
}

TEST_CASE("memory that looks like a pool of CPython's, with a hole, does no harm", "[hostile]") {
    with_each_python([](const std::string& python) {
        CAPTURE(python);
        const TemporaryFolder folder;
        const RunResult run = record_successfully(
            folder / "t.cow", {python, COWSCOPE_SOURCE_DIR "/tests/e2e/programs/forged_pool.py"});
        CHECK(run.out == std::to_string(7 << 8) + "\n");
    });
}

TEST_CASE("a libpython that nobody runs may be emptied", "[hostile]") {
    with_each_python([](const std::string& python) {
        const auto folder_of_libraries =
            std::filesystem::path(python).parent_path().parent_path() / "lib";
        std::string library;
        std::error_code none;
        for (const auto& entry : std::filesystem::directory_iterator(folder_of_libraries, none)) {
            const std::string name = entry.path().filename();
            if (name.rfind("libpython3.", 0) == 0 && contains(name, ".so.")) library = entry.path();
        }
        if (library.empty()) return;  // linked in: Debian's
        CAPTURE(library);
        const TemporaryFolder folder;
        const std::string copy = folder / std::filesystem::path(library).filename().string();
        std::filesystem::copy_file(library, copy);
        record_successfully(folder / "t.cow",
                            {COWSCOPE_E2E_PROGRAMS "/python_host", copy, "--truncate"});
        const Json report = report_json(folder / "t.cow");
        check_consistent(report);
        CHECK(report["totals"]["copied_pages"] >= 400);
    });
}
