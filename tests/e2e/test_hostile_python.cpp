// Interpreters that are left in a state in which what they name is not there any more.
#include <string>

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

}  // namespace

TEST_CASE("calls that Python never returns from do no harm", "[hostile]") {
    const std::string way =
        GENERATE(std::string("call_and_jump_out"), "call_on_freed_stack", "call_on_moved_stack");
    with_each_python([&](const std::string& python) { check_abandoned_call(python, way); });
}
