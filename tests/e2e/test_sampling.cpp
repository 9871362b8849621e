// What `--sample` leaves out: shares held against what the program knows of its own sites, totals
// against its pages. The margins are those that the report states; a test allows three of them (six
// deviations), and that all together are about as wide as they say is a test of its own.
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <utility>

#include "tests/catch.h"
#include "tests/e2e/cowscope_program.h"
#include "tests/e2e/report_json.h"
#include "tests/e2e/temporary_folder.h"

using namespace cowscope::e2e;

namespace {

const std::string kSiteWriter = std::string(COWSCOPE_E2E_PROGRAMS) + "/site_writer";
// Of the program's start and libc: a child writes about 10 other pages, seen or not.
constexpr double kOtherPages = 24;

struct Sampled {
    Json truth;
    Json report;

    double children() const { return truth["children"].get<double>(); }
    double pages(const std::string& what) const { return truth[what].get<double>() * children(); }
    double all_pages() const { return pages("site_0") + pages("site_1") + pages("read"); }
    double copied() const { return report["totals"]["copied_pages"].get<double>(); }
};

Sampled record_to(const std::string& folder, const Words& options, const Words& program,
                  const RunOptions& how = {}) {
    const Words command = joined(joined({"record", "--quiet", "-o", folder}, options),
                                 joined({"--", kSiteWriter}, program));
    const RunResult result = run_cowscope(command, how);
    CAPTURE(result.err);
    REQUIRE(result.status() == 0);
    Sampled sampled{Json::parse(result.out), report_json(folder)};
    check_consistent(sampled.report);
    return sampled;
}

Sampled record_sampled(const Words& options, const Words& program) {
    const TemporaryFolder folder;
    return record_to(folder.path().string() + "/t", options, program);
}

struct Estimate {
    double pages = 0;
    double margin = 0;
};

Estimate site(const Json& report, const std::string& name) {
    Estimate found;
    double variance = 0;
    for (const Json& each : report["sites"]) {
        if (each["function"].get<std::string>().rfind(name, 0) != 0) continue;
        found.pages += each["pages"].get<double>();
        variance += std::pow(each["pages_margin"].get<double>(), 2);
    }
    found.margin = std::sqrt(variance);
    return found;
}

void check_site(const Sampled& sampled, const std::string& name, double margins) {
    const Estimate found = site(sampled.report, name);
    CAPTURE(name, found.pages, found.margin, sampled.pages(name));
    CHECK(found.margin > 0);
    CHECK(std::abs(found.pages - sampled.pages(name)) <= margins * found.margin + kOtherPages);
}

void check_sites(const Sampled& sampled) {
    check_site(sampled, "site_0", 3);
    check_site(sampled, "site_1", 3);
}

void check_total(const Sampled& sampled) {
    CHECK(sampled.copied() >= sampled.all_pages());
    CHECK(sampled.copied() <= sampled.all_pages() + kOtherPages * sampled.children());
}

double number(const Json& value) {
    return value.get<double>();
}

double events_of(const Json& report) {
    return number(report["totals"]["witnessed_pages"]);
}

}  // namespace

TEST_CASE("auto is exact up to 50,000 events", "[e2e][sampling]") {
    const Sampled sampled = record_sampled({}, {"--pages", "40000"});
    CHECK(sampled.report["sample"] == "auto");
    CHECK(sampled.report["totals"]["represented_pages"] == 0);
    CHECK(sampled.report["totals"]["sampled_events"] == 0);
    CHECK(site(sampled.report, "site_0").pages == sampled.pages("site_0"));
    CHECK(site(sampled.report, "site_1").pages == sampled.pages("site_1"));
    CHECK(find_note(sampled.report, {"picked at random"}).empty());
}

TEST_CASE("beyond that auto has shares within their margins, and exact totals", "[e2e][sampling]") {
    const Sampled sampled =
        record_sampled({}, {"--pages", "200000", "--cycle", "16", "--part", "3"});
    check_total(sampled);
    check_sites(sampled);
    const Json& totals = sampled.report["totals"];
    CHECK(events_of(sampled.report) < 70'000);
    CHECK(number(totals["witnessed_pages"]) + number(totals["represented_pages"]) + kOtherPages >=
          sampled.all_pages());
    CHECK(totals["explained"] > 0.99);
    CHECK_FALSE(find_note(sampled.report, {"picked at random"}).empty());
    // What parent and child both write, a page of the stack say, may have been nobody else's.
    CHECK(number(totals["copied_pages_margin"]) <= kOtherPages);
}

TEST_CASE("auto and an exact run have the same shares", "[e2e][sampling]") {
    const Words program = {"--pages", "150000", "--cycle", "7", "--part", "2"};
    const Sampled exact = record_sampled({"--sample", "1"}, program);
    CHECK(exact.report["sample"] == "1");
    CHECK(events_of(exact.report) >= exact.all_pages());
    CHECK(site(exact.report, "site_0").pages == exact.pages("site_0"));
    const Sampled sampled = record_sampled({}, program);
    const Estimate estimate = site(sampled.report, "site_0");
    CHECK(std::abs(estimate.pages - site(exact.report, "site_0").pages) <= 3 * estimate.margin);
    CHECK(events_of(sampled.report) * 2 < events_of(exact.report));
}

TEST_CASE("sites that alternate in step with the sampling are seen as often as they write",
          "[e2e][sampling]") {
    const auto [cycle, part] = GENERATE(std::pair("2", "1"), std::pair("4", "1"),
                                        std::pair("16", "4"), std::pair("64", "16"));
    const std::string sample = std::string(cycle) == "2" ? "4" : cycle;
    CAPTURE(cycle, sample);
    const Sampled sampled = record_sampled({"--sample", sample},
                                           {"--pages", "60000", "--cycle", cycle, "--part", part});
    check_total(sampled);
    check_sites(sampled);
    const double expected = sampled.all_pages() / std::stod(sample);
    CHECK(events_of(sampled.report) == Approx(expected).epsilon(0.05));
}

TEST_CASE("events without room in the trace are lost with all that they stand for",
          "[e2e][sampling][limits]") {
    const int sample = GENERATE(1, 8);
    CAPTURE(sample);
    constexpr double kPages = 60'000;
    const TemporaryFolder folder;
    const rlim_t most_bytes = 300 * 1024;
    RunOptions options;
    options.before_exec = [most_bytes] {
        const struct rlimit limit = {most_bytes, most_bytes};
        return setrlimit(RLIMIT_FSIZE, &limit) == 0;
    };
    const Sampled sampled = record_to(folder / "t", {"--sample", std::to_string(sample)},
                                      {"--pages", "60000"}, options);
    REQUIRE(sampled.all_pages() == kPages);
    const Json& totals = sampled.report["totals"];
    const double told = events_of(sampled.report) * sample;
    const double lost = number(totals["lost_events"]);
    CAPTURE(told, lost, sampled.report["notes"].dump(1));
    // Some of each, up to the limit; all that was written, once. Gaps are drawn at random: a
    // deviation is sqrt(pages * sample), 700 of 60,000 here.
    CHECK(told > 2000);
    CHECK(lost > kPages / 4);
    CHECK(std::abs(told + lost - kPages) < (sample == 1 ? kOtherPages : 0.06 * kPages));
    CHECK_FALSE(find_note(sampled.report, {"found no room"}).empty());
    // What it says last has room.
    CHECK(processes_of(sampled.report, "fork").at(0)["census"] == "final");
    check_total(sampled);
    for (const auto& entry : std::filesystem::directory_iterator(folder / "t")) {
        if (entry.path().extension() != ".cowseg") continue;
        CHECK(entry.file_size() <= most_bytes);
    }
}

TEST_CASE("a fresh page between any two copies changes no share", "[e2e][sampling]") {
    const Sampled sampled =
        record_sampled({"--sample", "4"}, {"--pages", "60000", "--fresh", "60000"});
    check_sites(sampled);
    CHECK(static_cast<double>(pages_of_cause(sampled.report, "kernel")) < sampled.all_pages() / 50);
}

TEST_CASE("margins are about as wide as they say", "[e2e][sampling]") {
    // Many short recordings: in 95 of 100 the truth is within one margin.
    constexpr int kRounds = 40;
    int held = 0;
    for (int i = 0; i < kRounds; ++i) {
        const Sampled sampled =
            record_sampled({"--sample", "16"}, {"--pages", "4000", "--cycle", "3"});
        const Estimate found = site(sampled.report, "site_0");
        if (std::abs(found.pages - sampled.pages("site_0")) <= found.margin) ++held;
    }
    // 38 are to be expected; fewer than 31 in one of 10,000 runs.
    CHECK(held >= 31);
}

TEST_CASE("threads are sampled alike, whenever they were born", "[e2e][sampling]") {
    // Each quarter of the pages is another thread's; site 0's are the first half of each second.
    const Sampled sampled = record_sampled(
        {}, {"--pages", "200000", "--threads", "4", "--cycle", "100000", "--part", "25000"});
    check_total(sampled);
    check_sites(sampled);
    CHECK(pages_of_cause(sampled.report, "kernel") == 0);
}

TEST_CASE("without a tracker totals are estimates with a margin", "[e2e][sampling]") {
    const Sampled sampled = record_sampled({"--sample", "16", "--tracker", "off"},
                                           {"--pages", "60000", "--cycle", "5"});
    const auto margin = sampled.report["totals"]["copied_pages_margin"].get<double>();
    CHECK(margin > 0);
    CHECK(margin < 0.05 * sampled.all_pages());
    CHECK(std::abs(sampled.copied() - sampled.all_pages()) <= 3 * margin + kOtherPages);
    check_sites(sampled);
    CHECK_FALSE(find_note(sampled.report, {"estimate"}).empty());
}

TEST_CASE("what the kernel wrote is told from what was not sampled", "[e2e][sampling]") {
    const Sampled sampled =
        record_sampled({"--sample", "16"}, {"--pages", "60000", "--read", "20000"});
    check_total(sampled);
    const auto kernel = static_cast<double>(pages_of_cause(sampled.report, "kernel"));
    CHECK(kernel == Approx(sampled.pages("read")).epsilon(0.05));
    check_sites(sampled);
}

TEST_CASE("each child is exact for its own first 50,000 events", "[e2e][sampling]") {
    const Sampled sampled = record_sampled({}, {"--pages", "30000", "--children", "4"});
    CHECK(sampled.report["totals"]["represented_pages"] == 0);
    CHECK(site(sampled.report, "site_1").pages == sampled.pages("site_1"));
}

TEST_CASE("many children with a few sampled events each sum up to the truth", "[e2e][sampling]") {
    const Sampled sampled =
        record_sampled({"--sample", "64"}, {"--pages", "500", "--children", "60", "--cycle", "4"});
    check_total(sampled);
    check_sites(sampled);
}

TEST_CASE("other forms of a sampled trace have the report's pages", "[e2e][sampling]") {
    const TemporaryFolder folder;
    const std::string trace = folder.path().string() + "/t";
    const Sampled sampled = record_to(trace, {"--sample", "64"}, {"--pages", "20000"});
    const auto copied = sampled.report["totals"]["copied_pages"].get<uint64_t>();

    const RunResult lines = run_cowscope({"export", trace, "--format", "jsonl", "-o", "-"});
    REQUIRE(lines.status() == 0);
    CHECK(static_cast<uint64_t>(std::count(lines.out.begin(), lines.out.end(), '\n')) == copied);

    const RunResult collapsed = run_cowscope({"export", trace, "--format", "collapsed", "-o", "-"});
    REQUIRE(collapsed.status() == 0);
    uint64_t pages = 0;
    std::istringstream rows(collapsed.out);
    for (std::string row; std::getline(rows, row);)
        pages += std::stoull(row.substr(row.rfind(' ')));
    CHECK(pages == copied);

    const RunResult text = run_cowscope({"report", trace});
    REQUIRE(text.status() == 0);
    CHECK(contains(text.out, "±"));
    CHECK(contains(text.out, "one write in 64 was witnessed"));

    CHECK(run_cowscope({"html", trace, "-o", folder.path().string() + "/p.html"}).status() == 0);
    const auto points = sampled.report["timeline"];
    REQUIRE_FALSE(points.empty());
    CHECK(points.back()["copied_pages"].get<double>() + kOtherPages >= sampled.all_pages());
}

// By then one fault in 64 is told, and each of these epochs has fewer behind its first 64.
TEST_CASE("short epochs are sampled like long ones, from their first pages on", "[e2e][sampling]") {
    constexpr int kEpochs = 200;
    constexpr uint64_t kPagesAnEpoch = 120;
    constexpr uint64_t kPageBytes = 4096;
    const TemporaryFolder folder;
    const std::string trace = folder / "t";
    const RunResult run =
        run_cowscope({"record", "--quiet", "-o", trace, "--", program_of_tests("short_epochs"), "2",
                      std::to_string(kEpochs), std::to_string(kPagesAnEpoch)});
    CAPTURE(run.err);
    REQUIRE(run.status() == 0);
    const Json truth = Json::parse(run.out);
    const Json report = report_json(trace);
    for (const char* name : {"small_writer", "big_writer"}) {
        const Estimate found = site(report, std::string("(anonymous namespace)::") + name);
        const double pages = number(truth[std::string(name) == "small_writer" ? "short" : "long"]);
        CAPTURE(name, found.pages, found.margin, pages);
        CHECK(std::abs(found.pages - pages) <= 3 * found.margin + kOtherPages);
    }
    const auto all = number(report["totals"]["copied_pages"]);
    CHECK(static_cast<double>(pages_of_cause(report, "unknown")) < 0.01 * all);

    // Where in their epoch the events of small_writer lie that stand for more than themselves: as
    // often in each part, but for the first 64 pages, which are told one by one.
    const RunResult dump = run_cowscope({"dump", trace});
    REQUIRE(dump.status() == 0);
    const uint64_t start = truth["memory"].get<uint64_t>();
    constexpr uint64_t kParts = 4;
    constexpr uint64_t kFirst = 70;
    uint64_t parts[kParts] = {};
    uint64_t weight = 1;
    uint64_t epoch = 0;
    std::istringstream lines(dump.out);
    const auto field = [](const std::string& line, const std::string& name, int base) -> uint64_t {
        const size_t at = line.find(" " + name + "=");
        if (at == std::string::npos) return 0;
        return std::stoull(line.substr(at + name.size() + 2), nullptr, base);
    };
    const std::string root = std::to_string(processes_of(report, "root").at(0)["pid"].get<int>());
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind(root + " ", 0) != 0) continue;
        if (contains(line, " weight weight=")) weight = field(line, "weight", 10);
        if (contains(line, " generation time_ns=")) epoch = field(line, "generation", 10);
        if (!contains(line, " event time_ns=") || weight == 1 || epoch <= 2) continue;
        const uint64_t page = (field(line, "address", 16) - start) / kPageBytes;
        if (page < kFirst || page >= kPagesAnEpoch) continue;
        ++parts[(page - kFirst) * kParts / (kPagesAnEpoch - kFirst)];
    }
    double chi_square = 0;
    const double expected = kEpochs * (kPagesAnEpoch - kFirst) / 64.0 / kParts;
    for (const uint64_t part : parts) {
        chi_square += std::pow(static_cast<double>(part) - expected, 2) / expected;
    }
    CAPTURE(parts[0], parts[1], parts[2], parts[3], expected);
    // Four degrees of freedom: more than 30 in one of 200,000 runs.
    CHECK(chi_square < 30);
}
