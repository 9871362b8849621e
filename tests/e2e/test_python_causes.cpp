// One small Python program for each cause (programs/python_causes.py), on every interpreter of this
// machine: beyond what an idle child copies, the cause that the program is about explains nearly
// all.
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

const std::string kProgram = COWSCOPE_SOURCE_DIR "/tests/e2e/programs/python_causes.py";

// What the child copied.
Json report_of(const std::string& python, const std::string& which) {
    CAPTURE(python, which);
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {python, kProgram, which});
    const std::vector<Json> children = processes_of(report_json(folder / "t.cow"), "fork");
    REQUIRE(children.size() == 1);
    const std::string pid = std::to_string(children[0]["pid"].get<int>());
    Json report = report_json(folder / "t.cow", {"--process", pid});
    CHECK(report["totals"]["lost_events"] == 0);
    return report;
}

uint64_t pages_of_causes(const Json& report, const Words& causes) {
    uint64_t pages = 0;
    for (const std::string& cause : causes) pages += pages_of_cause(report, cause);
    return pages;
}

class Causes {
  public:
    explicit Causes(const std::string& python)
        : python_(python), idle_(report_of(python, "idle")) {}

    // Beyond the idle child's, at least 9 of 10 copies, and `least` in all. What is advised first
    // is of the kind `advice`, where one is named.
    void check(const std::string& which, const Words& causes, uint64_t least,
               const std::string& advice = "") const {
        const Json report = report_of(python_, which);
        const auto beyond = [&](const Json& each) {
            return each["totals"]["copied_pages"].get<double>();
        };
        const double copies = beyond(report) - beyond(idle_);
        const double explained = static_cast<double>(pages_of_causes(report, causes)) -
                                 static_cast<double>(pages_of_causes(idle_, causes));
        CAPTURE(python_, which, copies, explained, report["causes"].dump(1),
                report["advice"].dump(1));
        CHECK(copies >= static_cast<double>(least));
        CHECK(explained >= 0.9 * copies);
        if (!advice.empty()) {
            REQUIRE_FALSE(report["advice"].empty());
            CHECK(report["advice"][0]["kind"] == advice);
        }
    }

    void check_type(const std::string& which, const std::string& cause, const std::string& type,
                    uint64_t least) const {
        const Json report = report_of(python_, which);
        CAPTURE(python_, which, report["causes"].dump(1));
        CHECK(pages_of_type(report, cause, type) >= least);
    }

    // Calls of functions that were never called: nothing is cached in them before 3.11.
    void check_few(const std::string& which) const {
        constexpr double kFewPages = 100;
        const Json report = report_of(python_, which);
        CAPTURE(python_, which, report["causes"].dump(1));
        CHECK(report["totals"]["copied_pages"].get<double>() <
              idle_["totals"]["copied_pages"].get<double>() + kFewPages);
    }

    void check_exit() const {
        const Json report = report_of(python_, "exit");
        CAPTURE(python_, report["totals"].dump(1));
        CHECK(report["totals"]["finalization_pages"].get<double>() >=
              0.8 * report["totals"]["copied_pages"].get<double>());
        CHECK(idle_["totals"]["finalization_pages"] == 0);
        REQUIRE_FALSE(report["advice"].empty());
        CHECK(report["advice"][0]["kind"] == "exit");
    }

  private:
    std::string python_;
    Json idle_;
};

void check_causes(const std::string& python, bool adapts_code) {
    const Causes causes(python);
    causes.check("collect", {"gc-header"}, 700, "freeze");
    causes.check("hash", {"hash-cache"}, 1000, "hash");
    causes.check("append", {"container"}, 700);
    causes.check("allocate", {"allocator"}, 500);
    if (adapts_code) {
        causes.check("call", {"code-cache"}, 500, "warm-up");
    } else {
        causes.check_few("call");
    }
    causes.check("objects", {"refcount"}, 700);
    causes.check("ints", {"refcount"}, 300);
    causes.check("tuples", {"refcount"}, 700);
    causes.check("lists", {"refcount"}, 700);
    causes.check_type("objects", "refcount", "__main__.Point", 400);
    // A generator that goes on is counted, and its frame is written.
    causes.check("generators", {"refcount", "runtime-state"}, 500);
    causes.check("threads", {"refcount"}, 700);
    causes.check_exit();
}

}  // namespace

#define COWSCOPE_CAUSES_OF(minor)                                                      \
    TEST_CASE("Python 3." #minor " of pyenv: each cause is told", "[python-causes]") { \
        const std::string python = newest_of_pyenv("3." + std::to_string(minor));      \
        COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3." #minor " of pyenv");          \
        check_causes(python, minor >= 11);                                             \
    }

COWSCOPE_CAUSES_OF(6)
COWSCOPE_CAUSES_OF(7)
COWSCOPE_CAUSES_OF(8)
COWSCOPE_CAUSES_OF(9)
COWSCOPE_CAUSES_OF(10)
COWSCOPE_CAUSES_OF(11)
COWSCOPE_CAUSES_OF(12)
COWSCOPE_CAUSES_OF(13)

TEST_CASE("Debian's Python: each cause is told", "[python-causes]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    check_causes(python, true);
}
TEST_CASE("Debian's Python 3.13: each cause is told", "[python-causes]") {
    const std::string python = unpacked_python("trixie", "3.13");
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.13 of Debian trixie");
    check_causes(python, true);
}
TEST_CASE("Debian's Python 3.14: each cause is told", "[python-causes]") {
    const std::string python = unpacked_python("forky", "3.14");
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.14 of Debian forky");
    check_causes(python, true);
}
