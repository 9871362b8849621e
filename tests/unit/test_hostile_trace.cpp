// Traces that wish us ill: what they name, what they claim, and how much work they make.
// tests/fuzz looks for more of them.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "attribute/build_report.h"
#include "base/error.h"
#include "base/other_process.h"
#include "observe/outside_scan.h"
#include "runtime/cpython/line_table.h"
#include "tests/catch.h"
#include "tests/unit/growth.h"
#include "tests/unit/outside_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "tests/unit/trace_errors.h"
#include "trace/process_trace.h"
#include "trace/trace.h"

using namespace cowscope;
using observe::Segment;
using trace::PageRun;
using trace::RecordType;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kStart = 0x10000000;
constexpr uint64_t kPageBytes = trace::kPageBytes;

void write_site(Segment* segment) {
    segment->write(RecordType::stack, trace::StackRecord{{}, 0, 1}, {{0x401000, 0}});
    segment->write(RecordType::site, trace::SiteRecord{});
}

trace::EventRecord event_at(uint64_t address) {
    trace::EventRecord event{};
    event.time_ns = 5;
    event.address = address;
    event.runtime_stack = trace::kNoRuntimeStack;
    return event;
}

// Writes a segment of this size, and one of kGrowth times that, which it loads and returns.
template <typename Write>
trace::ProcessTrace load_in_proportion(size_t size, const Write& write) {
    const TemporaryFolder folder;
    const std::string small = folder / "process-7-77.cowseg";
    const std::string large = folder / "process-8-77.cowseg";
    for (const std::string& path : {small, large}) {
        Segment segment(path);
        write(&segment, path == small ? size : size * kGrowth);
    }
    CHECK(cpu_seconds_of([&] { trace::load_process(large); }) <
          kInProportion * cpu_seconds_of([&] { trace::load_process(small); }));
    trace::ProcessTrace process = trace::load_process(large);
    CHECK_FALSE(process.damage);
    return process;
}

}  // namespace

TEST_CASE("a small file that claims much costs little", "[hostile]") {
    const TemporaryFolder folder;
    const std::string path = folder / "process-7-77.cowseg";
    {
        Segment segment(path);
        segment.inherited(0, {{kStart, uint64_t{1} << 40}});
        write_site(&segment);
        segment.write(RecordType::event, event_at(kStart));
        segment.census(0, trace::CensusKind::final, 9, {{kStart, uint64_t{1} << 40}});
    }
    const trace::ProcessTrace process = trace::load_process(path);
    CHECK_FALSE(process.damage);
    CHECK(process.epochs[0].copied.pages() == uint64_t{1} << 40);
    const attribute::Report report = attribute::build_report(folder.path());
    // The one that an event names was shared with nobody: there is no parent.
    CHECK(report.totals.copied_pages == (uint64_t{1} << 40) - 1);

    // And terabytes behind its end.
    trace::SegmentHeader header = process.header;
    header.committed_bytes = uint64_t{1} << 42;
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.write(reinterpret_cast<const char*>(&header), sizeof(header));
    file.close();
    const auto damage = trace::load_process(path).damage;
    REQUIRE(damage);
    CHECK(contains(*damage, path));
}

TEST_CASE("a segment has no censuses but a process's own", "[hostile]") {
    const auto kind = static_cast<trace::CensusKind>(GENERATE(0, 3, 11, 255));
    const TemporaryFolder folder;
    const std::string path = folder / "process-7-77.cowseg";
    {
        Segment segment(path);
        segment.inherited(0, {{kStart, 2}});
        segment.census(0, trace::CensusKind::epoch, 8, {{kStart, 1}});
        segment.census(0, kind, 9, {{kStart, 2}});
    }
    const trace::ProcessTrace process = trace::load_process(path);
    REQUIRE(process.damage);
    CHECK(contains(*process.damage, "census record: is of a kind that no process takes"));
    const attribute::Report report = attribute::build_report(folder.path());
    CHECK(report.totals.copied_pages == 1);
}

TEST_CASE("work on censuses of ranges grows in proportion", "[hostile]") {
    constexpr size_t kRanges = 20'000;
    const auto kind = GENERATE(trace::CensusKind::kernel, trace::CensusKind::discarded,
                               trace::CensusKind::fresh, trace::CensusKind::inherited);
    const trace::ProcessTrace process =
        load_in_proportion(kRanges, [&](Segment* segment, size_t ranges) {
            segment->inherited(0, {{kStart, 1}});
            for (size_t i = ranges; i-- > 0;) {
                segment->census(0, kind, 9, {{kStart + 2 * i * kPageBytes, 1}});
            }
        });
    const trace::Epoch& epoch = process.epochs.at(0);
    const trace::PageSet& pages = kind == trace::CensusKind::fresh       ? epoch.not_copied
                                  : kind == trace::CensusKind::inherited ? epoch.inherited
                                                                         : epoch.copied;
    CHECK(pages.pages() == kRanges * kGrowth);
}

TEST_CASE("work on a census of many runs after pages were moved grows in proportion", "[hostile]") {
    constexpr size_t kParts = 10;
    constexpr size_t kRunsAPart = 4000;
    const trace::ProcessTrace process =
        load_in_proportion(kParts, [](Segment* segment, size_t parts) {
            segment->inherited(0, {{kStart, 1}});
            segment->write(RecordType::moved, trace::MovedRecord{{}, {kStart, 1}, 0x5000});
            trace::CensusRecord census{};
            census.kind = trace::CensusKind::final;
            for (size_t part = 0; part < parts; ++part) {
                std::vector<PageRun> runs;
                for (size_t i = 0; i < kRunsAPart; ++i) {
                    runs.push_back({kStart + 2 * (part * kRunsAPart + i) * kPageBytes, 1});
                }
                census.run_count = static_cast<uint32_t>(runs.size());
                segment->write(RecordType::census, census, runs,
                               part + 1 == parts ? uint16_t{0} : trace::kMoreParts);
            }
        });
    CHECK(process.epochs.at(0).copied.pages() == kParts * kGrowth * kRunsAPart);
}

TEST_CASE("moving the same pieces for ever is refused", "[hostile]") {
    constexpr uint64_t kPieces = 20'000;
    const TemporaryFolder folder;
    const std::string path = folder / "process-7-77.cowseg";
    {
        Segment segment(path);
        segment.inherited(0, {{kStart, 1}});
        // Every second page changes places with none beside it.
        for (uint64_t i = 0; i < kPieces; ++i) {
            segment.write(
                RecordType::moved,
                trace::MovedRecord{
                    {}, {kStart + (kPieces - i) * 2 * kPageBytes, 1}, kStart * 8 + i * kPageBytes});
        }
        for (int i = 0; i < 20'000; ++i) {
            const uint64_t to = kStart * (i % 2 == 0 ? 16 : 8);
            const uint64_t from = kStart * (i % 2 == 0 ? 8 : 16);
            segment.write(RecordType::moved, trace::MovedRecord{{}, {from, kPieces}, to});
        }
    }
    const trace::ProcessTrace process = trace::load_process(path);
    REQUIRE(process.damage);
    CHECK(contains(*process.damage, "moved record: moves too many pieces once more"));
}

TEST_CASE("work on censuses of many generations grows in proportion", "[hostile]") {
    constexpr size_t kGenerations = 8'000;
    const trace::ProcessTrace process =
        load_in_proportion(kGenerations, [](Segment* segment, size_t count) {
            const auto epochs = static_cast<uint32_t>(count);
            for (uint32_t i = 0; i < epochs; ++i) segment->inherited(i, {{kStart, 1}});
            for (uint32_t i = 0; i < epochs; ++i) {
                segment->census(i, trace::CensusKind::final, 9, {{kStart, 1}});
            }
        });
    REQUIRE(process.epochs.size() == kGenerations * kGrowth);
    CHECK(process.epochs.front().copied.pages() == 1);
}

TEST_CASE("more huge pages than memory has are refused", "[hostile]") {
    const TemporaryFolder folder;
    const std::string path = folder / "process-7-77.cowseg";
    {
        Segment segment(path);
        segment.inherited(0, {{kStart, 1}});
        write_site(&segment);
        for (uint64_t i = 0; i < 40'000; ++i) {
            segment.write(RecordType::event, event_at(kStart + (i << 21)), {},
                          trace::kHugePage | trace::kBeforeList);
        }
    }
    const trace::ProcessTrace process = trace::load_process(path);
    REQUIRE(process.damage);
    CHECK(contains(*process.damage, "event record: is of one huge page more than 16384"));
}

TEST_CASE("a process that names itself, or one behind it, as its parent has none", "[hostile]") {
    const TemporaryFolder folder;
    constexpr uint32_t kRing = 4;
    for (uint32_t i = 0; i < kRing; ++i) {
        session::Writer writer;
        const std::string path = folder / ("process-" + std::to_string(i) + "-77.cowseg");
        REQUIRE(writer.create(path.c_str(), static_cast<int>(100 + i), 77) == 0);
        auto* process = writer.begin<trace::ProcessRecord>(RecordType::process, 0);
        REQUIRE(process != nullptr);
        process->role = trace::Role::fork;
        process->start_ns = 1000;
        process->pid = 100 + i;
        // Itself, or around in a ring.
        process->parent_pid = i == 0 ? 100 : 100 + (i + 1) % kRing;
        process->parent_created_ns = 77;
        process->sample = 1;
        process->command_bytes = process->executable_bytes = 0;
        writer.commit();
    }
    const attribute::Report report = attribute::build_report(folder.path());
    CHECK(report.processes.size() == kRing);
}

TEST_CASE("times that go backwards end no process before its start", "[hostile]") {
    const TemporaryFolder folder;
    const std::string path = folder / "process-7-77.cowseg";
    {
        Segment segment(path);  // created at 77, and started by the clock
        segment.end(3);
    }
    const attribute::Report report = attribute::build_report(folder.path());
    REQUIRE(report.processes.size() == 1);
    CHECK(report.processes[0].end_ns == report.processes[0].start_ns);
    CHECK(report.duration_ns == 0);
}

TEST_CASE("lines that jump as far as numbers go are no lines", "[hostile]") {
    trace::RuntimeCode code;
    code.first_line = 1;
    for (int i = 0; i < 200; ++i) {
        code.line_table.push_back(0x80 | 13 << 3);  // no columns
        for (int k = 0; k < 9; ++k) code.line_table.push_back(0x7e);
        code.line_table.push_back(0x3e);
    }
    CHECK_FALSE(cpython::line_of(code, 0x030b07f0, 300).has_value());
}

TEST_CASE("a zombie is not taken for a child that says it started at the end of time",
          "[hostile]") {
    ProcessStatus status{};
    trace::ProcessRecord process = observe::forked_now();
    process.start_ns = GENERATE(~uint64_t{0}, uint64_t{1} << 63, (uint64_t{1} << 63) - 1);
    const auto fate = observe::fate_of_zombie(status, true, process, monotonic_ns());
    CHECK(fate.kind == trace::EndKind{0});
}

TEST_CASE("a segment that changes while it is read is an error", "[hostile]") {
    const TemporaryFolder folder;
    const std::string path = folder / "process-7-77.cowseg";
    {
        Segment segment(path);
        segment.inherited(0, {{kStart, 1}});
        write_site(&segment);
        segment.write(RecordType::event, event_at(kStart));
    }
    const trace::ProcessTrace process = trace::load_process(path);
    REQUIRE(process.event_count == 1);
    fs::remove(path);
    {
        Segment segment(path);
        segment.inherited(0, {{kStart, 1}});
        auto event = event_at(kStart);
        SECTION("a site that is not there") {
            event.site = 9;
        }
        SECTION("a Python stack that is not there") {
            event.runtime_stack = 9;
        }
        segment.write(RecordType::event, event);
    }
    const auto take = [](const trace::EventRecord&, const trace::EventPlace&) {};
    try {
        trace::for_each_event(process, take);
    } catch (const Error& error) {
        CHECK(error.record_kind() == "event");
        CHECK(error.message() == "has changed since it was read first");
        return;
    }
    FAIL("nothing was noticed");
}
