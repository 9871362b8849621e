// The C++ workload: the report held, page by page, against what the program knows about its own
// reference counts.
#include <cctype>
#include <filesystem>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/e2e/copied_pages.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/memory_growth.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"
#include "tests/e2e/truth.h"

using namespace cowscope::e2e;

namespace {

constexpr uint64_t kPageMask = ~uint64_t{4095};
// A count's page may have been copied for another write before, such as the allocator's.
constexpr uint64_t kMostExcuses = 8;

struct Recorded {
    std::string output;
    Truth truth;
    Json report;
    std::vector<CopiedPages> processes;
    std::map<int, Pages> dumped_events;  // by process
};

// The pages of the events in `cowscope dump`.
std::map<int, Pages> dumped_events(const std::string& folder) {
    const RunResult dump = run_cowscope({"dump", folder});
    REQUIRE(dump.status() == 0);
    std::map<int, Pages> pages;
    std::istringstream lines(dump.out);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        int pid = 0;
        std::string offset;
        std::string kind;
        if (!(words >> pid >> offset >> kind) || kind != "event") continue;
        const std::string key = " address=";
        const size_t at = line.find(key);
        if (at == std::string::npos) FAIL("an event without an address: " << line);
        pages[pid].insert(std::stoull(line.substr(at + key.size()), nullptr, 16) & kPageMask);
    }
    return pages;
}

Recorded record_string_map(const std::string& values, const std::string& entries,
                           const std::string& children, const std::string& read = "key",
                           const std::string& sample = "1") {
    const TemporaryFolder folder;
    RunOptions options;
    options.environment = {"COWSCOPE_SAMPLE=" + sample};
    const RunResult run = record_successfully(
        folder / "t.cow",
        {kStringMap, "--entries", entries, "--unique", "300", "--children", children, "--values",
         values, "--read", read, "--truth", folder / "truth"},
        options);
    Recorded recorded{run.out, read_truth(folder / "truth"), report_json(folder / "t.cow"),
                      read_copied_pages(folder / "t.cow"), dumped_events(folder / "t.cow")};
    check_consistent(recorded.report);
    CHECK(recorded.report["tracker"] == "userfaultfd");
    CHECK(recorded.report["witness"] == "trap");
    CHECK(recorded.report["totals"]["lost_events"] == 0);
    CHECK(recorded.report["totals"]["explained"] >= 0.5);
    CHECK(std::to_string(recorded.truth.children.size()) == children);
    CHECK(processes_of(recorded.report, "fork").size() == recorded.truth.children.size());
    return recorded;
}

void check_refcounts_of_child(const Recorded& recorded, const ProcessTruth& truth,
                              uint64_t most_excuses) {
    CAPTURE(truth.pid, truth.pages.size());
    const CopiedPages& child = forked_process(recorded.processes, truth.pid);
    const Pages& dumped = recorded.dumped_events.at(truth.pid);
    uint64_t missing = 0;
    uint64_t excuses = 0;
    uint64_t not_dumped = 0;
    for (const uint64_t page : truth.pages) {
        if (!child.is_copied(page)) {
            ++missing;
        } else if (child.cause_of(page) != "refcount") {
            ++excuses;
        }
        if (dumped.count(page) == 0 && child.census.count(page) == 0) ++not_dumped;
    }
    CHECK(missing == 0);
    CHECK(excuses <= most_excuses);
    CHECK(not_dumped == 0);
    // As many as there are pages of the truth, so no other page is among them.
    CHECK(child.count_of_cause("refcount") == truth.pages.size() - excuses);
    const Json summary = find_process(recorded.report, truth.pid);
    const uint64_t reused = summary["reused_pages"].get<uint64_t>();
    CHECK(summary["copied_pages"] >= child.copied_count() - reused);
    CHECK(summary["copied_pages"] <= child.most_copied_count() - reused);
    CHECK(summary["witnessed_pages"] == child.witnessed.size() - reused);
    CHECK(summary["census"] == "final");
}

void check_refcounts(const Recorded& recorded, uint64_t most_excuses = kMostExcuses) {
    uint64_t in_children = 0;
    for (const ProcessTruth& truth : recorded.truth.children) {
        check_refcounts_of_child(recorded, truth, most_excuses);
        in_children += forked_process(recorded.processes, truth.pid).count_of_cause("refcount");
    }
    CHECK(root_process(recorded.processes).count_of_cause("refcount") == 0);
    CHECK(pages_of_cause(recorded.report, "refcount") == in_children);
}

std::string source_line(const std::filesystem::path& file, size_t number) {
    std::istringstream lines(read_file(file.string()));
    std::string line;
    for (size_t i = 0; i < number; ++i) {
        if (!std::getline(lines, line)) return "";
    }
    return line;
}

// "function (file.h:12)" of a site's stack, where file.h is one of the workload's.
bool names_workload_source(const std::string& frame) {
    static const std::regex kFrame("(.*) \\(([^()/]+):(\\d+)\\)");
    std::smatch parts;
    if (!std::regex_match(frame, parts, kFrame)) return false;
    const auto file =
        std::filesystem::path(COWSCOPE_SOURCE_DIR) / "workloads" / "cpp" / parts[2].str();
    if (parts[1].length() == 0 || !std::filesystem::exists(file)) return false;
    const std::string line = source_line(file, std::stoul(parts[3]));
    return line.find_first_not_of(" \t") != std::string::npos;
}

void check_sites(const Recorded& recorded) {
    uint64_t pages = 0;
    for (const Json& site : recorded.report["sites"]) {
        if (site["cause"] != "refcount") continue;
        CAPTURE(site.dump(1));
        pages += site["pages"].get<uint64_t>();
        CHECK(site["module"] == "string_map");
        CHECK_FALSE(site["function"].get<std::string>().empty());
        CHECK_FALSE(site["inlined"].get<std::string>().empty());
        CHECK_FALSE(site["instruction"].get<std::string>().empty());
        CHECK(contains(site["evidence"].get<std::string>(), "1"));
        const auto file = site["file"].get<std::string>();
        const auto line = site["line"].get<size_t>();
        REQUIRE(std::filesystem::exists(file));
        CHECK_FALSE(source_line(file, line).empty());
        bool named = false;
        for (const Json& frame : site["stack"]) {
            named = named || names_workload_source(frame.get<std::string>());
        }
        CHECK(named);
    }
    CHECK(pages == pages_of_cause(recorded.report, "refcount"));
}

void check_memory(const Recorded& recorded) {
    const std::vector<PrintedMemory> printed = printed_memory(recorded.output);
    REQUIRE(printed.size() == recorded.truth.children.size());
    for (size_t i = 0; i < printed.size(); ++i) {
        const Json process = find_process(recorded.report, recorded.truth.children[i].pid);
        REQUIRE_FALSE(process.is_null());
        check_memory_growth(process);
        check_agrees(printed[i].after_kb - printed[i].before_kb, copied_and_fresh_kb(process));
    }
}

}  // namespace

TEST_CASE("every page of a C++ program's reference counts is a refcount copy", "[cpp]") {
    const std::string values = GENERATE(std::string("refcounted"), "shared_ptr", "cow-string");
    CAPTURE(values);
    const Recorded recorded = record_string_map(values, "200000", "4");
    for (const ProcessTruth& truth : recorded.truth.children) REQUIRE(truth.pages.size() > 5000);
    check_refcounts(recorded);
    check_sites(recorded);
    check_memory(recorded);
    CHECK(recorded.report["causes"].at(0)["cause"] == "refcount");
    CHECK(recorded.report["totals"]["explained"] >= 0.98);
}

TEST_CASE("iterating writes the same reference counts", "[cpp]") {
    const Recorded recorded = record_string_map("refcounted", "50000", "2", "iterate");
    for (const ProcessTruth& truth : recorded.truth.children) REQUIRE(truth.pages.size() > 1000);
    check_refcounts(recorded);
    check_sites(recorded);
}

TEST_CASE("millions of reference counts are all seen", "[cpp]") {
    const Recorded recorded = record_string_map("refcounted", "2000000", "4");
    for (const ProcessTruth& truth : recorded.truth.children) REQUIRE(truth.pages.size() > 50'000);
    check_refcounts(recorded);
    check_sites(recorded);
    check_memory(recorded);
    CHECK(recorded.report["totals"]["explained"] >= 0.98);
}

TEST_CASE("sampled, millions of reference counts have the share that they have",
          "[cpp][sampling]") {
    const Recorded recorded = record_string_map("refcounted", "2000000", "4", "key", "auto");
    uint64_t in_children = 0;
    for (const ProcessTruth& truth : recorded.truth.children) {
        const Json child = find_process(recorded.report, truth.pid);
        CHECK(child["represented_pages"] > 0);
        CHECK(child["copied_pages"] >= truth.pages.size());
        in_children += truth.pages.size();
    }
    const auto found = static_cast<double>(pages_of_cause(recorded.report, "refcount"));
    CHECK(found == Approx(static_cast<double>(in_children)).epsilon(0.005));
    CHECK(recorded.report["totals"]["explained"] >= 0.98);
}

TEST_CASE("interned values have their reference counts on few pages", "[cpp]") {
    const Recorded recorded = record_string_map("interned", "200000", "4");
    for (const ProcessTruth& truth : recorded.truth.children) {
        REQUIRE_FALSE(truth.pages.empty());
        REQUIRE(truth.pages.size() < 32);
    }
    check_refcounts(recorded, 0);
    check_sites(recorded);
    check_memory(recorded);
}

TEST_CASE("values without a reference count have no refcount copies", "[cpp]") {
    const Recorded recorded = record_string_map("plain", "200000", "4");
    for (const ProcessTruth& truth : recorded.truth.children) REQUIRE(truth.pages.empty());
    check_refcounts(recorded, 0);
    CHECK(pages_of_cause(recorded.report, "refcount") == 0);
    check_memory(recorded);
}
