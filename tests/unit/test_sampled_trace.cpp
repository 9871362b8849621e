// Traces with weights: what reader and report make of them, also where they claim the impossible.
#include <limits>

#include "attribute/build_report.h"
#include "tests/catch.h"
#include "tests/unit/outside_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "tests/unit/trace_errors.h"
#include "trace/process_trace.h"

using namespace cowscope;
using observe::Segment;
using trace::PageRun;
using trace::RecordType;

namespace {

constexpr uint64_t kStart = 0x10000000;
constexpr uint64_t kPageBytes = trace::kPageBytes;

void write_process(Segment* segment, trace::Role role, uint32_t parent, uint64_t start_ns,
                   uint32_t sample) {
    trace::ProcessRecord process{};
    process.role = role;
    process.parent_pid = parent;
    process.parent_created_ns = role == trace::Role::fork ? 77 : 0;
    process.start_ns = start_ns;
    process.sample = sample;
    segment->write(RecordType::process, process);
}

void write_weight(Segment* segment, uint32_t weight) {
    segment->write(RecordType::weight, trace::WeightRecord{{}, weight, 0});
}

void write_event(Segment* segment, uint64_t page, uint64_t time_ns = 0) {
    trace::EventRecord event{};
    event.time_ns = time_ns != 0 ? time_ns : 1000 + page;
    event.address = kStart + page * kPageBytes;
    event.runtime_stack = trace::kNoRuntimeStack;
    segment->write(RecordType::event, event);
}

// A site: add dword ptr [rax], 1.
void write_code(Segment* segment) {
    segment->write(RecordType::stack, trace::StackRecord{{}, 0, 1}, {{0x401000, 0}});
    trace::SiteRecord site{};
    site.instruction_pointer = 0x401000;
    site.code[0] = 0x83;
    site.code[2] = 0x01;
    segment->write(RecordType::site, site);
}

constexpr uint64_t kEnd = uint64_t{1} << 40;

// A parent that writes nothing, and a child with `pages` that it inherited. `write` adds events.
template <typename Write>
attribute::Report report_of(uint64_t pages, uint64_t copied, uint32_t sample, const Write& write) {
    const TemporaryFolder folder;
    {
        Segment parent(folder / "process-7-77.cowseg", 7);
        write_process(&parent, trace::Role::image, 1, 10, sample);
        Segment child(folder / "process-8-77.cowseg", 8);
        write_process(&child, trace::Role::fork, 7, 20, sample);
        trace::InheritedRecord inherited{};
        inherited.time_ns = 21;
        inherited.tracker = trace::Tracker::userfaultfd;
        inherited.witness = trace::Witness::trap;
        inherited.run_count = 1;
        child.write(RecordType::inherited, inherited, {{kStart, pages}});
        write_code(&child);
        write(&child);
        if (copied != 0) {
            child.census(0, trace::CensusKind::final, kEnd, {{kStart, copied}});
            child.end(kEnd);
        }
    }
    return attribute::build_report(folder.path());
}

uint64_t pages_of(const attribute::Report& report, const std::string& cause) {
    for (const auto& each : report.causes) {
        if (cause_name(each.cause) == cause) return each.pages;
    }
    return 0;
}

}  // namespace

TEST_CASE("events share out the pages of the census that have none", "[sampled]") {
    const attribute::Report report = report_of(2000, 1000, 0, [](Segment* child) {
        for (uint64_t i = 0; i < 200; ++i) write_event(child, i);
        write_weight(child, 16);
        // One for each 16 pages, and the last of them too early to be of any.
        for (uint64_t i = 200; i < 1000; i += 16) write_event(child, i);
    });
    CHECK(report.sample == "auto");
    CHECK(report.totals.copied_pages == 1000);
    CHECK(report.totals.witnessed_pages == 250);
    CHECK(report.totals.represented_pages == 750);
    CHECK(report.totals.sampled_events == 50);
    CHECK(report.totals.copied_pages_margin == 0);
    CHECK(report.totals.explained == Approx(1.0));
    CHECK(pages_of(report, "kernel") == 0);
    REQUIRE(report.timeline.size() > 2);
    CHECK(report.timeline.back().copied_pages == 1000);
}

TEST_CASE("pages that no weight can stand for were written by the kernel", "[sampled]") {
    const attribute::Report report = report_of(2000, 1800, 0, [](Segment* child) {
        write_weight(child, 16);
        for (uint64_t i = 0; i < 800; i += 16) write_event(child, i);
    });
    CHECK(report.totals.copied_pages == 1800);
    CHECK(report.totals.represented_pages == 750);
    CHECK(pages_of(report, "kernel") == 1000);
}

// One event of a page that nobody shared any more, because the parent had written it. It stands for
// 63 others, of which the parent wrote four.
TEST_CASE("no more pages are found reused than the parent wrote", "[sampled]") {
    const TemporaryFolder folder;
    {
        Segment parent(folder / "process-7-77.cowseg", 7);
        write_process(&parent, trace::Role::image, 1, 10, 0);
        parent.inherited(1, {{kStart, 2000}});
        write_code(&parent);
        for (uint64_t i = 640; i < 645; ++i) write_event(&parent, i, 500);
        Segment child(folder / "process-8-77.cowseg", 8);
        write_process(&child, trace::Role::fork, 7, 20, 0);
        child.inherited(0, {{kStart, 2000}});
        write_code(&child);
        write_weight(&child, 64);
        for (uint64_t i = 0; i < 1024; i += 64) write_event(&child, i);
        child.census(0, trace::CensusKind::final, kEnd, {{kStart, 1024}});
        child.end(kEnd);
        parent.end(kEnd);
    }
    const attribute::Report report = attribute::build_report(folder.path());
    REQUIRE(report.processes.size() == 2);
    CHECK(report.processes[1].copied_pages == 1024 - 5);
    // Whether the four others were copied before or after.
    CHECK(report.totals.copied_pages_margin == 4);
}

TEST_CASE("without a census weights are an estimate, with a margin", "[sampled]") {
    const attribute::Report report = report_of(2000, 0, 16, [](Segment* child) {
        for (uint64_t i = 0; i < 800; i += 16) write_event(child, i);
    });
    CHECK(report.sample == "16");
    CHECK(report.totals.copied_pages == 800);
    CHECK(report.totals.copied_pages_margin != 0);
}

TEST_CASE("too few pages to be sampled are unknown, and no more than that", "[sampled]") {
    const auto nothing = [](Segment*) {};
    const attribute::Report few = report_of(2000, 40, 16, nothing);
    CHECK(few.totals.copied_pages == 40);
    CHECK(pages_of(few, "unknown") == 40);
    const attribute::Report many = report_of(2000, 2000, 16, nothing);
    CHECK(many.totals.copied_pages == 2000);
    CHECK(pages_of(many, "unknown") == 48);
    CHECK(pages_of(many, "kernel") == 2000 - 48);
}

TEST_CASE("weights of any size are borne", "[sampled][hostile]") {
    constexpr uint32_t kMost = std::numeric_limits<uint32_t>::max();
    const uint64_t copied = GENERATE(uint64_t{0}, uint64_t{1}, uint64_t{600}, uint64_t{1} << 40);
    const attribute::Report report = report_of(1000, copied, 0, [](Segment* child) {
        for (uint64_t i = 0; i < 500; ++i) {
            write_weight(child, i % 2 == 0 ? kMost : 1);
            write_event(child, i);
        }
    });
    uint64_t sum = 0;
    for (const auto& cause : report.causes) sum += cause.pages;
    CHECK(sum == report.totals.copied_pages);
    CHECK(report.totals.copied_pages >= 500);
}

TEST_CASE("a weight of nothing is damage", "[sampled][hostile]") {
    const TemporaryFolder folder;
    const std::string path = folder / "process-7-77.cowseg";
    {
        Segment segment(path);
        write_weight(&segment, 0);
    }
    const auto damage = trace::load_process(path).damage;
    REQUIRE(damage);
    CHECK(contains(*damage, "weight"));
    CHECK(contains(*damage, path));
}
