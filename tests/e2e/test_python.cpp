// The Python workload, on the interpreters that a user of Debian has.
#include <sys/wait.h>

#include <csignal>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/copied_pages.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/memory_growth.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"

using namespace cowscope::e2e;

namespace {

constexpr uint64_t kMostExcuses = 8;

Words string_map(const std::string& python, const std::string& entries, const Words& more = {}) {
    return joined({python, kPythonWorkload, "--entries", entries, "--unique", "300", "--processes",
                   "4", "--memory"},
                  more);
}

// Every worker is complete, and its copies agree with its memory.
void check_workers(const Json& report, const std::string& output, int64_t taken_over_kb = 0) {
    const std::vector<Json> workers = processes_of(report, "fork");
    const std::vector<PrintedMemory> printed = printed_memory(output);
    REQUIRE(workers.size() == 4);
    REQUIRE(printed.size() == 4);
    // Workers do not say which process they are: the largest is held against the largest.
    std::vector<int64_t> after_kb;
    std::vector<int64_t> expected_kb;
    for (size_t i = 0; i < workers.size(); ++i) {
        CHECK(workers[i]["census"] == "final");
        CHECK(workers[i]["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
        check_memory_growth(workers[i], taken_over_kb);
        after_kb.push_back(printed[i].after_kb);
        expected_kb.push_back(workers[i]["private_dirty_kb_at_fork"].get<int64_t>() +
                              copied_and_fresh_kb(workers[i]));
    }
    std::sort(after_kb.begin(), after_kb.end());
    std::sort(expected_kb.begin(), expected_kb.end());
    for (size_t i = 0; i < after_kb.size(); ++i)
        check_agrees(after_kb[i], expected_kb[i], taken_over_kb);
}

void check_refcounts_of_str(const std::string& python) {
    const TemporaryFolder folder;
    // Fewer entries, and what the interpreter copies anyway would weigh more than the values do.
    const RunResult run = record_successfully(folder / "t.cow", string_map(python, "1000000"));
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    const Json& totals = report["totals"];
    const auto copied = totals["copied_pages"].get<double>();
    CAPTURE(python, totals.dump(), report["causes"].dump(1));
    CHECK(totals["lost_events"] == 0);
    CHECK(totals["explained"] >= 0.98);
    CHECK(static_cast<double>(pages_of_type(report, "refcount", "str")) >= 0.95 * copied);
    // A million values of 64 bytes each, in every worker.
    CHECK(copied >= 4 * 1'000'000 / 4096 * 64);
    check_workers(report, run.out);

    const Json& site = report["sites"].at(0);
    CAPTURE(site.dump(1));
    CHECK(site["cause"] == "refcount");
    CHECK(contains(site["evidence"].get<std::string>(), "str"));
    CHECK_FALSE(site["function"].get<std::string>().empty());
    CHECK_FALSE(site["instruction"].get<std::string>().empty());
}

void check_interned(const std::string& python) {
    const TemporaryFolder folder;
    const RunResult run =
        record_successfully(folder / "t.cow", string_map(python, "200000", {"--intern"}));
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    // Beside so few copies in the workers, those of the parent show.
    check_workers(report, run.out, copied_and_fresh_kb(processes_of(report, "root").at(0)));
    CHECK(report["totals"]["lost_events"] == 0);
    CHECK(report["totals"]["explained"] >= 0.98);
    // Asking for its memory costs a worker some pages of its own: the limit is for one that reads.
    const TemporaryFolder quiet_folder;
    record_successfully(quiet_folder / "t.cow",
                        {python, kPythonWorkload, "--entries", "200000", "--unique", "300",
                         "--processes", "4", "--intern"});
    constexpr uint64_t kMostPages = 2'000'000 / 4096;
    for (const Json& worker : processes_of(report_json(quiet_folder / "t.cow"), "fork")) {
        CAPTURE(worker.dump(1));
        CHECK(worker["copied_pages"] < kMostPages);
        CHECK(worker["copied_pages"] > 0);
    }
}

void check_truth(const std::string& python) {
    const TemporaryFolder folder;
    record_successfully(folder / "t.cow", {python, kPythonReader, "100000", "2", folder / "truth"});
    const Truth truth = read_truth(folder / "truth");
    const std::vector<CopiedPages> processes = read_copied_pages(folder / "t.cow");
    REQUIRE(truth.children.size() == 2);
    for (const ProcessTruth& child : truth.children) {
        REQUIRE(child.pages.size() > 1500);
        const CopiedPages& copied = forked_process(processes, child.pid);
        uint64_t missing = 0;
        uint64_t excuses = 0;
        for (const uint64_t page : child.pages) {
            if (!copied.is_copied(page)) ++missing;
            const auto write = copied.witnessed.find(page);
            const bool as_expected = write != copied.witnessed.end() &&
                                     write->second.cause == "refcount" &&
                                     write->second.type == "str";
            if (!as_expected) ++excuses;
        }
        CAPTURE(python, child.pid, child.pages.size());
        CHECK(missing == 0);
        CHECK(excuses <= kMostExcuses);
    }
}

void check_terminated(const std::string& python) {
    const TemporaryFolder folder;
    const std::string script =
        "import multiprocessing\n"
        "pool = multiprocessing.get_context('fork').Pool(2)\n"
        "assert pool.map(abs, range(-100, 0)) == list(range(100, 0, -1))\n"
        "pool.terminate()\n"
        "pool.join()\n";
    record_successfully(folder / "t.cow", {python, "-c", script});
    const Json report = report_json(folder / "t.cow");
    check_consistent(report);
    const std::vector<Json> workers = processes_of(report, "fork");
    CHECK(workers.size() == 2);
    for (const Json& worker : workers) {
        CAPTURE(worker.dump(1));
        CHECK(worker["census"] == "final");
        // A worker that had the news of its end by then exits by itself.
        if (worker["exit"]["kind"] == "signal") {
            CHECK(worker["exit"]["value"] == SIGTERM);
        } else {
            CHECK(worker["exit"] == Json({{"kind", "exit"}, {"value", 0}}));
        }
    }
}

}  // namespace

TEST_CASE("Python 3.11 of pyenv: reading a dict's values writes counts of str", "[python]") {
    const std::string python = pyenv_python_3_11();
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.11 of pyenv");
    check_refcounts_of_str(python);
}

TEST_CASE("Python 3.11 of pyenv: interned values are on few pages", "[python]") {
    const std::string python = pyenv_python_3_11();
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.11 of pyenv");
    check_interned(python);
}

TEST_CASE("Python 3.11 of pyenv: every page of a value is a copy", "[python]") {
    const std::string python = pyenv_python_3_11();
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.11 of pyenv");
    check_truth(python);
}

TEST_CASE("Python 3.11 of pyenv: terminated workers are complete", "[python]") {
    const std::string python = pyenv_python_3_11();
    COWSCOPE_REQUIRE_INTERPRETER(python, "Python 3.11 of pyenv");
    check_terminated(python);
}

TEST_CASE("Debian's Python: reading a dict's values writes counts of str", "[python]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    check_refcounts_of_str(python);
}

TEST_CASE("Debian's Python: interned values are on few pages", "[python]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    check_interned(python);
}

TEST_CASE("Debian's Python: every page of a value is a copy", "[python]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    check_truth(python);
}

TEST_CASE("Debian's Python: terminated workers are complete", "[python]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    check_terminated(python);
}
