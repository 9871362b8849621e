// Limits and differences, on reports that are made up.
#include <string>

#include "base/error.h"
#include "compare/diff.h"
#include "compare/limits.h"
#include "report/diff.h"
#include "tests/catch.h"

using namespace cowscope;
using attribute::Report;
using compare::Fate;
using runtime::Cause;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kPagesOfMiB = 256;

// `forked` children that copied so much each, all of it because of one cause.
Report report_of(unsigned forked, uint64_t pages_each, runtime::Cause cause) {
    Report report;
    report.trace = "t.cow";
    report.tracker = "userfaultfd";
    report.witness = "trap";
    report.processes.emplace_back().role = "root";
    for (unsigned i = 0; i < forked; ++i) {
        auto& child = report.processes.emplace_back();
        child.role = "fork";
        child.pid = 100 + static_cast<int>(i);
        child.copied_pages = pages_each;
    }
    report.totals.copied_pages = forked * pages_each;
    auto& share = report.causes.emplace_back();
    share.cause = cause;
    share.pages = report.totals.copied_pages;
    auto& owner = report.owners.emplace_back();
    owner.owner = "__main__.data (dict values)";
    owner.pages = report.totals.copied_pages;
    return report;
}

}  // namespace

TEST_CASE("a limit is kept up to its last byte") {
    const Report report = report_of(2, kPagesOfMiB, Cause::refcount);
    compare::Limits limits;
    limits.copied = 2 * kMiB;
    limits.per_process = kMiB;
    limits.copied_cause[Cause::refcount] = 2 * kMiB;
    limits.copied_cause[Cause::gc_header] = 0;
    const auto kept = compare::hold_against(limits, report);
    REQUIRE(kept.size() == 4);
    for (const auto& finding : kept) CHECK_FALSE(finding.is_over());

    limits.copied = 2 * kMiB - 1;
    limits.per_process = kMiB - 1;
    limits.copied_cause[Cause::refcount] = 0;
    const auto over = compare::hold_against(limits, report);
    // Each of the two processes is named.
    REQUIRE(over.size() == 5);
    CHECK(over[0].is_over());
    CHECK(over[1].what == "copied by process 100 (fork)");
    CHECK(over[2].what == "copied by process 101 (fork)");
    CHECK(over[1].is_over());
    size_t causes_over = 0;
    for (size_t i = 3; i < 5; ++i) causes_over += over[i].is_over() ? 1 : 0;
    CHECK(causes_over == 1);
}

TEST_CASE("what a trace cannot tell is not said to be within a limit") {
    Report report = report_of(1, 1, Cause::unknown);
    report.witness = "off";
    compare::Limits limits;
    limits.copied = kMiB;
    CHECK(compare::hold_against(limits, report).size() == 1);
    limits.copied_cause[Cause::refcount] = kMiB;
    CHECK_THROWS_AS(compare::hold_against(limits, report), Error);
    report.tracker = "off";
    limits.copied_cause.clear();
    CHECK_THROWS_AS(compare::hold_against(limits, report), Error);
}

TEST_CASE("a difference tells what is gone, new and changed") {
    Report before = report_of(2, 1000, Cause::refcount);
    before.advice.push_back({"intern", before.owners[0].owner, 2000, 1, ""});
    Report after = report_of(2, 10, Cause::store);
    const compare::Diff diff = compare::compare(before, after);
    CHECK_FALSE(diff.per_process);
    CHECK(diff.copied.before == 2000);
    CHECK(diff.copied.after == 20);
    CHECK(diff.copied.fate() == Fate::changed);
    REQUIRE(diff.causes.size() == 2);
    CHECK(diff.causes[0].key == Cause::refcount);
    CHECK(diff.causes[0].change.fate() == Fate::gone);
    CHECK(diff.causes[1].change.fate() == Fate::appeared);
    REQUIRE(diff.owners.size() == 1);
    CHECK(diff.owners[0].change.fate() == Fate::changed);
    CHECK(diff.done == "intern");

    // Still advised, so not done.
    after.advice = before.advice;
    CHECK(compare::compare(before, after).done.empty());
}

TEST_CASE("a difference is summed up in words") {
    Report before = report_of(2, 1000, Cause::refcount);
    before.advice.push_back({"intern", before.owners[0].owner, 2000, 1, ""});
    const Report after = report_of(2, 10, Cause::refcount);
    const report::DiffSummary gained = report::summarize(compare::compare(before, after));
    CHECK(gained.total == "Copied after fork: 7.8 MiB -> 80 KiB, 99.0 % less.");
    CHECK(gained.most == "Gained most: refcount, 7.7 MiB less");
    CHECK(gained.owner == "__main__.data (dict values)");
    CHECK(gained.reason.find("equal values are one object") != std::string::npos);

    const report::DiffSummary lost = report::summarize(compare::compare(after, before));
    CHECK(lost.total == "Copied after fork: 80 KiB -> 7.8 MiB, 100.0 times as much.");
    CHECK(lost.most == "Lost most: refcount, 7.7 MiB more");
    CHECK(lost.reason.empty());

    const report::DiffSummary same = report::summarize(compare::compare(after, after));
    CHECK(same.total == "Copied after fork: 80 KiB -> 80 KiB, no change.");
    CHECK(same.most.empty());
    const Report nothing = report_of(2, 0, Cause::refcount);
    CHECK(report::summarize(compare::compare(nothing, nothing)).total ==
          "Copied after fork: 0 KiB -> 0 KiB, no change.");
}

TEST_CASE("with other numbers of processes each one is compared") {
    const compare::Diff diff =
        compare::compare(report_of(2, 1000, Cause::refcount), report_of(8, 1000, Cause::refcount));
    CHECK(diff.per_process);
    CHECK(diff.copied.before == Approx(1000));
    CHECK(diff.copied.after == Approx(1000));
    CHECK(diff.copied.fate() == Fate::same);
    CHECK(diff.causes[0].change.fate() == Fate::same);
}

TEST_CASE("without owners on one side nothing is said of them") {
    Report after = report_of(2, 10, Cause::refcount);
    after.owners.clear();
    CHECK(compare::compare(report_of(2, 1000, Cause::refcount), after).owners.empty());
}
