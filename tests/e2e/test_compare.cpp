// `cowscope diff` and `cowscope check`, on the string map with and without interning.
#include <sstream>
#include <string>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/pythons.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

void record_map(const std::string& folder, const std::string& python, const Words& options) {
    record_successfully(folder, joined({python, kPythonWorkload, "--entries", "200000"}, options));
}

std::string first_lines(const std::string& text, size_t count) {
    std::istringstream lines(text);
    std::string first;
    std::string line;
    while (count-- != 0 && std::getline(lines, line)) first += line + " ";
    return first;
}

double copied(const Json& report) {
    return report["totals"]["copied_pages"].get<double>();
}

}  // namespace

TEST_CASE("the first lines of a diff say what interning gained and why", "[compare]") {
    const std::string python = debian_python();
    COWSCOPE_REQUIRE_INTERPRETER(python, "/usr/bin/python3");
    const TemporaryFolder folder;
    const std::string before = folder / "before.cow";
    const std::string after = folder / "after.cow";
    record_map(before, python, {"--processes", "2"});
    record_map(after, python, {"--processes", "2", "--intern"});
    const RunResult text = run_cowscope({"diff", before, after});
    CAPTURE(text.out);
    REQUIRE(text.status() == 0);
    const std::string first = first_lines(text.out, 3);
    CHECK(contains(first, "less"));
    CHECK(contains(first, "refcount of str"));
    CHECK(contains(first, "__main__.global_map (dict values)"));
    CHECK(contains(first, "equal values are one object now"));

    const RunResult run = run_cowscope({"diff", before, after, "--format", "json"});
    const Json diff = Json::parse(run.out);
    CHECK(diff["schema"] == "cowscope.diff/1");
    CHECK(diff["copied"]["before_pages"].get<double>() == copied(report_json(before)));
    CHECK(diff["copied"]["after_pages"].get<double>() == copied(report_json(after)));
    CHECK(diff["done"] == "intern");
    double sum = 0;
    for (const Json& cause : diff["causes"]) sum += cause["before_pages"].get<double>();
    CHECK(sum == Approx(copied(report_json(before))));

    // The other way round nothing is gained.
    const RunResult back = run_cowscope({"diff", after, before});
    CHECK(contains(first_lines(back.out, 2), "more"));
    CHECK_FALSE(contains(back.out, "Why:"));
    const RunResult same = run_cowscope({"diff", after, after});
    CHECK(contains(first_lines(same.out, 1), "no change"));
}

TEST_CASE("more processes that copy the same each are no change", "[compare]") {
    const TemporaryFolder folder;
    for (const std::string children : {"2", "4"}) {
        record_successfully(folder / (children + ".cow"),
                            {kStringMap, "--entries", "100000", "--children", children});
    }
    const RunResult run =
        run_cowscope({"diff", folder / "2.cow", folder / "4.cow", "--format", "json"});
    const Json diff = Json::parse(run.out);
    CHECK(diff["per_process"] == true);
    CHECK(diff["before"]["forked_processes"] == 2);
    CHECK(diff["after"]["forked_processes"] == 4);
    const double before = diff["copied"]["before_pages"];
    CHECK(diff["copied"]["after_pages"].get<double>() == Approx(before).epsilon(0.05));
}

TEST_CASE("a check fails where a limit is passed, and says by how much", "[compare]") {
    const TemporaryFolder folder;
    const std::string trace = folder / "t.cow";
    record_successfully(trace, {kStringMap, "--entries", "100000", "--children", "2"});
    const auto bytes = report_json(trace)["totals"]["copied_bytes"].get<uint64_t>();
    const auto check = [&](const Words& limits) {
        return run_cowscope(joined({"check", trace}, limits));
    };
    const RunResult kept = check({"--max-copied", std::to_string(bytes)});
    CHECK(kept.status() == 0);
    CHECK(contains(kept.out, "ok"));
    const RunResult over = check({"--max-copied", std::to_string(bytes - 1)});
    CHECK(over.status() == 1);
    CHECK(contains(over.out, "over by"));
    CHECK(over.err.empty());
    CHECK(check({"--max-per-process", "1K"}).status() == 1);
    CHECK(check({"--max-cause", "refcount=1K", "--max-cause", "kernel=1G"}).status() == 1);
    CHECK(check({"--max-cause", "gc-header=0", "--max-cause", "kernel=1G"}).status() == 0);
}
