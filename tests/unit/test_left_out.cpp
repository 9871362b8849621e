// Records that name what found no room: whoever reads the segment goes on behind them.
#include <sys/resource.h>

#include <csignal>
#include <string>
#include <vector>

#include "attribute/build_report.h"
#include "base/error.h"
#include "session/writer.h"
#include "tests/catch.h"
#include "tests/unit/segment_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "tests/unit/trace_errors.h"
#include "trace/process_trace.h"
#include "trace/trace.h"

using namespace cowscope;

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kStart = 0x7f0000000000;

class Segment {
  public:
    explicit Segment(std::string path) : path_(std::move(path)) {
        REQUIRE(writer_.create(path_.c_str(), 123, 999) == 0);
        write_process(&writer_, 123);
        write_inherited(&writer_, {{kStart, 64}});
    }
    session::Writer* writer() { return &writer_; }

    void stack(uint32_t id, uint64_t ip) {
        write(&writer_, RecordType::stack, trace::StackRecord{{}, id, 1},
              bytes_of(std::vector<uint64_t>{ip}));
    }
    void site(uint32_t id, uint32_t stack, uint64_t ip) {
        trace::SiteRecord site{};
        site.id = id;
        site.stack = stack;
        site.instruction_pointer = ip;
        write(&writer_, RecordType::site, site);
    }
    void event(uint32_t site, size_t page, uint32_t runtime_stack = trace::kNoRuntimeStack) {
        trace::EventRecord event = event_at(kStart + page * kPage, 3000 + page);
        event.site = site;
        event.runtime_stack = runtime_stack;
        write(&writer_, RecordType::event, event);
    }
    trace::ProcessTrace end() {
        write(&writer_, RecordType::end, trace::EndRecord{{}, 5000, trace::EndKind::exit, {}, 0});
        return trace::load_process(path_);
    }

  private:
    std::string path_;
    session::Writer writer_;
};

std::vector<uint64_t> ips_of_events(const trace::ProcessTrace& process) {
    std::vector<uint64_t> ips;
    trace::for_each_event(process, [&](const trace::EventRecord& event, const trace::EventPlace&) {
        ips.push_back(process.sites.at(event.site).instruction_pointer);
    });
    return ips;
}

using Ips = std::vector<uint64_t>;

// While it lives the process's files can have no more than so many bytes.
class FileLimit {
  public:
    explicit FileLimit(rlim_t bytes) {
        REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
        const rlimit limit = {bytes, before_.rlim_max};
        REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    }
    ~FileLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

  private:
    rlimit before_{};
};

}  // namespace

TEST_CASE("a site that found no room behind its stack costs nothing that comes later") {
    const TemporaryFolder folder;
    Segment segment(folder / "process-123-999.cowseg");
    segment.stack(0, 0x401000);
    segment.site(0, 0, 0x401000);
    segment.event(0, 0);
    segment.stack(1, 0x402000);
    segment.stack(1, 0x403000);
    segment.site(1, 1, 0x403000);
    segment.event(1, 1);
    const trace::ProcessTrace process = segment.end();
    CHECK_FALSE(process.damage);
    CHECK(process.end);
    CHECK(process.left_out.records == 1);
    CHECK(contains(process.left_out.first, "stack record: has id 1 where 2 comes next"));
    CHECK(ips_of_events(process) == Ips{0x401000, 0x403000});
    CHECK(process.stacks.at(process.sites.at(1).stack).ips == Ips{0x403000});
}

TEST_CASE("what names a missing record is left out, and what comes behind it is read") {
    const TemporaryFolder folder;
    Segment segment(folder / "process-123-999.cowseg");
    segment.stack(0, 0x401000);
    segment.site(0, 0, 0x401000);
    std::string what;
    SECTION("a site that is not there") {
        segment.event(1, 1);
        // The second pass must leave out the same one.
        segment.stack(1, 0x402000);
        segment.site(1, 1, 0x402000);
        what = "event record: names site 1, which is not there";
    }
    SECTION("a Python stack that is not there") {
        segment.event(0, 1, 7);
        what = "event record: names Python stack 7, which is not there";
    }
    SECTION("a stack that is not there") {
        segment.site(1, 5, 0x402000);
        what = "site record: names stack 5, which is not there";
    }
    SECTION("a gap in the ids of sites") {
        segment.stack(1, 0x402000);
        segment.site(3, 1, 0x402000);
        what = "site record: has id 3 where 1 comes next";
    }
    SECTION("a gap in the ids of stacks") {
        segment.stack(2, 0x402000);
        what = "stack record: has id 2 where 1 comes next";
    }
    SECTION("a site once more") {
        segment.site(0, 0, 0x402000);
        what = "site record: has id 0 where 1 comes next";
    }
    SECTION("a gap in the ids of code objects") {
        trace::RuntimeCodeRecord code{};
        code.id = 4;
        write(segment.writer(), RecordType::runtime_code, code);
        what = "python_code record: has id 4 where 0 comes next";
    }
    SECTION("a Python stack of code that is not there") {
        write(segment.writer(), RecordType::runtime_stack, trace::RuntimeStackRecord{{}, 0, 1},
              bytes_of(std::vector<trace::RuntimeFrame>{{3, 0}}));
        what = "python_stack record: names code 3, which is not there";
    }
    SECTION("a value of a site that is not there") {
        trace::ObjectValueRecord value{};
        value.site = 9;
        write(segment.writer(), RecordType::object_value, value);
        what = "python_value record: names site 9, which is not there";
    }
    segment.event(0, 2);
    const trace::ProcessTrace process = segment.end();
    CHECK_FALSE(process.damage);
    CHECK(process.end);
    CHECK(process.left_out.records == 1);
    CHECK(contains(process.left_out.first, what));
    CHECK(contains(process.left_out.first, process.path));
    CHECK(process.event_count == 1);
    CHECK(ips_of_events(process) == Ips{0x401000});
    const attribute::Report report = attribute::build_report(folder.path());
    const auto says = [&](const std::string& note) {
        return contains(note, what) && contains(note, "left out, all others are reported");
    };
    CHECK(std::count_if(report.notes.begin(), report.notes.end(), says) == 1);
}

TEST_CASE("a list whose later parts found no room does not run into the next one") {
    const TemporaryFolder folder;
    Segment segment(folder / "process-123-999.cowseg");
    const auto part = [&](RecordType type, auto record, const std::string& behind, bool has_more) {
        auto* room = segment.writer()->template begin<decltype(record)>(type, behind.size());
        REQUIRE(room != nullptr);
        record.header = room->header;
        record.header.flags = has_more ? trace::kMoreParts : 0;
        *room = record;
        std::memcpy(room + 1, behind.data(), behind.size());
        segment.writer()->commit();
    };
    const auto runs_at = [](uint64_t page) {
        return bytes_of(std::vector<trace::PageRun>{{kStart + page * kPage, 1}});
    };
    SECTION("a census") {
        trace::CensusRecord census{};
        census.kind = trace::CensusKind::epoch;
        census.run_count = 1;
        census.time_ns = 3000;
        part(RecordType::census, census, runs_at(9), true);
        census.kind = trace::CensusKind::final;
        census.time_ns = 4000;
        part(RecordType::census, census, runs_at(3), true);
        part(RecordType::census, census, runs_at(5), false);
        const trace::ProcessTrace process = segment.end();
        CHECK_FALSE(process.damage);
        CHECK(process.left_out.records == 1);
        CHECK(process.epochs.at(0).copied.pages() == 2);
        CHECK(process.epochs.at(0).census == trace::CensusKind::final);
    }
    SECTION("mappings") {
        const auto text = [&](const std::string& lines, uint64_t time_ns, bool has_more) {
            trace::MappingsRecord mappings{};
            mappings.time_ns = time_ns;
            mappings.text_bytes = static_cast<uint32_t>(lines.size());
            part(RecordType::mappings, mappings, lines, has_more);
        };
        text("00400000-00500000 r-xp 00000000 00:00 0    /usr/bin/old\n00600", 3000, true);
        text("00400000-00500000 r-xp 00000000 00:00 0    /usr/bin/new\n", 4000, false);
        const trace::ProcessTrace process = segment.end();
        CHECK(process.left_out.records == 1);
        REQUIRE(process.mappings.size() == 1);
        CHECK(process.mappings[0]->all().size() == 1);
        CHECK(process.mappings[0]->find(0x401000)->path == "/usr/bin/new");
    }
    SECTION("inherited pages, and the generation behind them") {
        segment.stack(0, 0x401000);
        segment.site(0, 0, 0x401000);
        trace::InheritedRecord inherited{};
        inherited.epoch = 1;
        inherited.time_ns = 3000;
        inherited.run_count = 1;
        part(RecordType::inherited, inherited, runs_at(0), true);
        segment.event(0, 50);  // of a page of the part that is missing
        inherited.epoch = 2;
        inherited.time_ns = 4000;
        part(RecordType::inherited, inherited, runs_at(1), false);
        segment.event(0, 1);
        const trace::ProcessTrace process = segment.end();
        CHECK_FALSE(process.damage);
        CHECK(process.left_out.records == 1);
        REQUIRE(process.epochs.size() == 3);
        CHECK_FALSE(process.epochs[0].is_list_torn);
        CHECK(process.epochs[1].is_list_torn);
        CHECK_FALSE(process.epochs[2].is_list_torn);
        CHECK(process.epochs[2].inherited.pages() == 1);
        std::vector<size_t> epochs;
        trace::for_each_event(process, [&](const auto&, const trace::EventPlace& place) {
            epochs.push_back(place.epoch);
        });
        CHECK(epochs == std::vector<size_t>{1, 2});
    }
}

TEST_CASE("another type at the address of one that was freed has its own name") {
    const TemporaryFolder folder;
    Segment segment(folder / "process-123-999.cowseg");
    segment.stack(0, 0x401000);
    segment.site(0, 0, 0x401000);
    const auto type = [&](const std::string& name) {
        trace::TypeRecord record{};
        record.address = 0x5000;
        record.name_bytes = static_cast<uint32_t>(name.size());
        write(segment.writer(), RecordType::type, record, name);
    };
    segment.event(0, 0);
    type("app.Alpha");
    segment.event(0, 1);
    segment.event(0, 2);
    type("app.Gamma");
    segment.event(0, 3);
    const trace::ProcessTrace process = segment.end();
    std::vector<std::string> names;
    trace::for_each_event(process, [&](const auto&, const trace::EventPlace& place) {
        names.push_back(place.type == 0 ? "" : process.type_names.at(place.type - 1));
    });
    CHECK(names == std::vector<std::string>{"", "app.Alpha", "app.Alpha", "app.Gamma"});
}

TEST_CASE("two records that need each other are both written, or none") {
    signal(SIGXFSZ, SIG_IGN);
    const TemporaryFolder folder;
    constexpr size_t kBothBytes = sizeof(trace::StackRecord) + 8 + sizeof(trace::SiteRecord);
    // Wherever the end of the reserved room falls: before, within and between them, and behind.
    for (size_t gap = 0; gap <= kBothBytes + 8; gap += 8) {
        const std::string path = folder / ("process-123-" + std::to_string(1000 + gap) + ".cowseg");
        Segment segment(path);
        session::Writer* writer = segment.writer();
        trace::StackRecord* stack = nullptr;
        trace::SiteRecord* site = nullptr;
        const auto begin = [&] {
            return writer->begin_two(RecordType::stack, 8, &stack, RecordType::site, sizeof(*site),
                                     &site);
        };
        {
            const FileLimit limit(8 * 1024);
            // Up to `gap` bytes before the end of what create() has reserved.
            const uint64_t used = trace::SegmentReader(path).header().committed_bytes;
            const size_t left = 8 * 1024 - gap - used;
            write(writer, RecordType::type, trace::TypeRecord{},
                  std::string(left - sizeof(trace::TypeRecord), 'x'));
            const bool fits = begin();
            CHECK(fits == (gap >= kBothBytes));
            CHECK((site != nullptr) == fits);
            CHECK(trace::SegmentReader(path).header().committed_bytes == 8 * 1024 - gap);
            CHECK((writer->losses(&trace::LossRecord::unwritten_bytes) != 0) == !fits);
        }
        // A full disk is asked again after a while.
        for (int i = 0; i < 2000 && stack == nullptr; ++i) begin();
        REQUIRE(begin());
        stack->id = 0;
        stack->depth = 1;
        stack->header.flags = 0;
        const uint64_t ip = 0x401000;
        std::memcpy(stack + 1, &ip, sizeof(ip));
        site->id = site->stack = 0;
        site->instruction_pointer = ip;
        writer->commit();
        segment.event(0, 0);
        const trace::ProcessTrace process = segment.end();
        CAPTURE(gap, process.left_out.first);
        CHECK_FALSE(process.damage);
        CHECK(process.left_out.records == 0);
        CHECK(ips_of_events(process) == Ips{0x401000});
    }
}
