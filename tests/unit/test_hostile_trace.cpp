// Traces that wish us ill: what they name, what they claim, and how much work they make.
// tests/fuzz looks for more of them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "attribute/build_report.h"
#include "attribute/recording.h"
#include "cli/record_options.h"
#include "error.h"
#include "record/other_process.h"
#include "record/outside_scan.h"
#include "record/segment_tail.h"
#include "record/write_file.h"
#include "tests/catch.h"
#include "tests/unit/outside_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "trace/dump.h"
#include "trace/process_trace.h"
#include "trace/python_lines.h"
#include "trace/trace.h"

using namespace cowscope;
using record::Segment;
using trace::PageRun;
using trace::RecordType;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kStart = 0x10000000;
constexpr uint64_t kPageBytes = trace::kPageBytes;

// Far from what linear work takes here, and far from what quadratic work would.
constexpr std::chrono::seconds kLong(25);

class Stopwatch {
  public:
    std::chrono::steady_clock::duration passed() const {
        return std::chrono::steady_clock::now() - start_;
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::string error_of(const std::string& path) {
    try {
        trace::load_process(path);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

void write_text(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    REQUIRE(file.good());
}

std::string text_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void write_site(Segment* segment) {
    segment->write(RecordType::stack, trace::StackRecord{{}, 0, 1}, {{0x401000, 0}});
    segment->write(RecordType::site, trace::SiteRecord{});
}

trace::EventRecord event_at(uint64_t address) {
    trace::EventRecord event{};
    event.time_ns = 5;
    event.address = address;
    event.python_stack = trace::kNoPythonStack;
    return event;
}

}  // namespace

TEST_CASE("no link in a trace is followed, and nothing but regular files is read", "[hostile]") {
    const TemporaryFolder folder;
    const TemporaryFolder elsewhere;
    const std::string path = folder / "process-7-77.cowseg";
    SECTION("a link to a good segment elsewhere") {
        Segment segment(elsewhere / "s.cowseg");
        fs::create_symlink(elsewhere / "s.cowseg", path);
        CHECK(error_of(path) == path + ": a link; a trace has none");
    }
    SECTION("a link to a device") {
        fs::create_symlink("/dev/zero", path);
        CHECK(error_of(path) == path + ": a link; a trace has none");
    }
    SECTION("a FIFO, which nobody writes to") {
        REQUIRE(mkfifo(path.c_str(), 0600) == 0);
        CHECK(error_of(path) == path + ": not a regular file");
    }
    SECTION("a folder") {
        fs::create_directory(path);
        CHECK(error_of(path) == path + ": not a regular file");
    }
    record::SegmentTail tail(path);
    CHECK_THROWS_AS(tail.read_on(), Error);
}

TEST_CASE("what stands beside the segments is no link either", "[hostile]") {
    const TemporaryFolder folder;
    const TemporaryFolder elsewhere;
    {
        Segment segment(folder / "process-7-77.cowseg");
        Segment other(elsewhere / "other");
    }
    const std::string name = GENERATE(std::string("outside-7-77.cowscan"), "owners-7-77-8.cowown");
    fs::create_symlink(elsewhere / "other", folder / name);
    const trace::Trace trace = trace::load(folder.path());
    REQUIRE(trace.damage.size() == 1);
    CHECK(trace.damage[0] == folder / name + ": a link; a trace has none");
}

TEST_CASE("a recording.json that is a link, a FIFO or huge is a note", "[hostile]") {
    const TemporaryFolder folder;
    const TemporaryFolder elsewhere;
    const std::string path = folder / "recording.json";
    const std::string good =
        R"({"command":["secret"],"start_ns":1,"end_ns":2,"exit":{"kind":"exit","value":0},"notes":[]})";
    SECTION("link") {
        write_text(elsewhere / "r.json", good);
        fs::create_symlink(elsewhere / "r.json", path);
    }
    SECTION("FIFO") {
        REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    }
    SECTION("a hole of 8 GiB") {
        write_text(path, good);
        REQUIRE(truncate(path.c_str(), off_t{8} << 30) == 0);
    }
    const attribute::Recording recording = attribute::read_recording(folder.path());
    CHECK(recording.command.empty());
    REQUIRE(recording.notes.size() == 1);
    CHECK(contains(recording.notes[0], path + ": damaged, left out: "));
}

TEST_CASE("a recording.json of depth, or of impossible numbers, is a note", "[hostile]") {
    const TemporaryFolder folder;
    const std::string path = folder / "recording.json";
    const auto with = [](const std::string& start, const std::string& value) {
        return R"({"command":[],"start_ns":)" + start +
               R"(,"end_ns":9,"exit":{"kind":"exit","value":)" + value + R"(},"notes":[]})";
    };
    const std::string text = GENERATE_COPY(
        with("1e300", "0"), with("-1", "0"), with("1.5", "0"), with("true", "0"),
        with("1", "1e300"), with("1", "2147483648"), with("1", "-2147483649"),
        std::string(2'000'000, '['), std::string(1'000'000, '[') + std::string(1'000'000, ']'));
    CAPTURE(text.substr(0, 90));
    write_text(path, text);
    const attribute::Recording recording = attribute::read_recording(folder.path());
    const bool is_whole = recording.duration_ns.has_value() && recording.exit.has_value();
    CHECK_FALSE(is_whole);
    REQUIRE(recording.notes.size() == 1);
    CHECK(contains(recording.notes[0], path + ": damaged, left out: "));
}

TEST_CASE("a file is written past links, hard links and FIFOs that stand in its way", "[hostile]") {
    const TemporaryFolder folder;
    const TemporaryFolder elsewhere;
    const std::string path = folder / "recording.json";
    const std::string theirs = elsewhere / "theirs";
    write_text(theirs, "precious");
    SECTION("a link to it") {
        fs::create_symlink(theirs, path + ".tmp");
    }
    SECTION("a hard link to it") {
        fs::create_hard_link(theirs, path + ".tmp");
    }
    SECTION("a FIFO that nobody reads") {
        REQUIRE(mkfifo((path + ".tmp").c_str(), 0600) == 0);
    }
    SECTION("the file itself is a link") {
        fs::create_symlink(theirs, path);
    }
    CHECK(record::replace_file(path, "ours") == 0);
    CHECK(text_of(path) == "ours");
    CHECK(fs::symlink_status(path).type() == fs::file_type::regular);
    CHECK((fs::status(path).permissions() & fs::perms::mask) == fs::perms(0600));
    CHECK(text_of(theirs) == "precious");
}

TEST_CASE("a segment is created for its owner alone, and through no link", "[hostile]") {
    const TemporaryFolder folder;
    const TemporaryFolder elsewhere;
    segment::Writer writer;
    const std::string path = folder / "process-7-77.cowseg";
    const mode_t before = umask(0);
    CHECK(writer.create(path.c_str(), 7, 77) == 0);
    umask(before);
    CHECK((fs::status(path).permissions() & fs::perms::mask) == fs::perms(0600));

    const std::string link = folder / "process-8-77.cowseg";
    write_text(elsewhere / "theirs", "precious");
    fs::create_symlink(elsewhere / "theirs", link);
    segment::Writer other;
    CHECK(other.create(link.c_str(), 8, 77) != 0);
    CHECK(text_of(elsewhere / "theirs") == "precious");
}

TEST_CASE("names of files steer no terminal", "[hostile]") {
    const TemporaryFolder folder;
    write_text(folder / "\x1b]0;mine\x07\n\x7f.cowseg", "no segment");
    { Segment segment(folder / "\x1b[2J.cowseg"); }
    const std::string out = folder / "out";
    SECTION("of a dump") {
        std::FILE* file = std::fopen(out.c_str(), "we");
        REQUIRE(file != nullptr);
        trace::dump(folder.path(), file);
        REQUIRE(std::fclose(file) == 0);
    }
    SECTION("of an error") {
        const int before = dup(STDERR_FILENO);
        const int file = open(out.c_str(), O_WRONLY | O_CREAT, 0600);
        REQUIRE(dup2(file, STDERR_FILENO) == STDERR_FILENO);
        cli::say(error_of(folder / "\x1b]0;mine\x07\n\x7f.cowseg"));
        REQUIRE(dup2(before, STDERR_FILENO) == STDERR_FILENO);
        close(before);
        close(file);
        CHECK(contains(text_of(out), "]0;mine"));
    }
    const std::string text = text_of(out);
    CHECK(contains(text, ".cowseg"));
    CHECK(std::ranges::none_of(text, [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f;
    }));
}

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
    const Stopwatch watch;
    const trace::ProcessTrace process = trace::load_process(path);
    CHECK_FALSE(process.damage);
    CHECK(process.generations[0].copied.pages() == uint64_t{1} << 40);
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
    CHECK(watch.passed() < kLong);
}

TEST_CASE("censuses of a hundred thousand ranges take no time", "[hostile]") {
    constexpr size_t kRanges = 150'000;
    const TemporaryFolder folder;
    const std::string path = folder / "process-7-77.cowseg";
    const auto kind = GENERATE(trace::CensusKind::kernel, trace::CensusKind::given_up,
                               trace::CensusKind::fresh, trace::CensusKind::inherited);
    {
        Segment segment(path);
        segment.inherited(0, {{kStart, 1}});
        for (size_t i = kRanges; i-- > 0;) {
            segment.census(0, kind, 9, {{kStart + 2 * i * kPageBytes, 1}});
        }
    }
    const Stopwatch watch;
    const trace::ProcessTrace process = trace::load_process(path);
    CHECK(watch.passed() < kLong);
    CHECK_FALSE(process.damage);
    const trace::Generation& generation = process.generations.at(0);
    const trace::PageSet& pages = kind == trace::CensusKind::fresh       ? generation.not_copied
                                  : kind == trace::CensusKind::inherited ? generation.inherited
                                                                         : generation.copied;
    CHECK(pages.pages() == kRanges);
}

TEST_CASE("a census of many runs after pages were moved takes no time", "[hostile]") {
    constexpr size_t kParts = 80;
    constexpr size_t kRunsAPart = 4000;
    const TemporaryFolder folder;
    const std::string path = folder / "process-7-77.cowseg";
    {
        Segment segment(path);
        segment.inherited(0, {{kStart, 1}});
        segment.write(RecordType::moved, trace::MovedRecord{{}, {kStart, 1}, 0x5000});
        trace::CensusRecord census{};
        census.kind = trace::CensusKind::final;
        for (size_t part = 0; part < kParts; ++part) {
            std::vector<PageRun> runs;
            for (size_t i = 0; i < kRunsAPart; ++i) {
                runs.push_back({kStart + 2 * (part * kRunsAPart + i) * kPageBytes, 1});
            }
            census.run_count = static_cast<uint32_t>(runs.size());
            segment.write(RecordType::census, census, runs,
                          part + 1 == kParts ? uint16_t{0} : trace::kMoreParts);
        }
    }
    const Stopwatch watch;
    const trace::ProcessTrace process = trace::load_process(path);
    CHECK(watch.passed() < kLong);
    CHECK_FALSE(process.damage);
    CHECK(process.generations.at(0).copied.pages() == kParts * kRunsAPart);
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
    const Stopwatch watch;
    const trace::ProcessTrace process = trace::load_process(path);
    CHECK(watch.passed() < kLong);
    REQUIRE(process.damage);
    CHECK(contains(*process.damage, "moved record: moves too many pieces once more"));
}

TEST_CASE("censuses of many generations take no time", "[hostile]") {
    constexpr uint32_t kGenerations = 60'000;
    const TemporaryFolder folder;
    const std::string path = folder / "process-7-77.cowseg";
    {
        Segment segment(path);
        for (uint32_t i = 0; i < kGenerations; ++i) segment.inherited(i, {{kStart, 1}});
        for (uint32_t i = 0; i < kGenerations; ++i) {
            segment.census(i, trace::CensusKind::final, 9, {{kStart, 1}});
        }
    }
    const Stopwatch watch;
    const trace::ProcessTrace process = trace::load_process(path);
    CHECK(watch.passed() < kLong);
    CHECK_FALSE(process.damage);
    REQUIRE(process.generations.size() == kGenerations);
    CHECK(process.generations.front().copied.pages() == 1);
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
                          trace::kHugePage | trace::kUnlisted);
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
        segment::Writer writer;
        const std::string path = folder / ("process-" + std::to_string(i) + "-77.cowseg");
        REQUIRE(writer.create(path.c_str(), static_cast<int>(100 + i), 77) == 0);
        auto* process = writer.begin<trace::ProcessRecord>(RecordType::process, 0);
        REQUIRE(process != nullptr);
        process->role = trace::Role::fork;
        process->start_ns = 1000;
        process->pid = 100 + i;
        // Itself, or around in a ring.
        process->parent_pid = i == 0 ? 100 : 100 + (i + 1) % kRing;
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
    trace::PythonCode code;
    code.first_line = 1;
    for (int i = 0; i < 200; ++i) {
        code.line_table.push_back(0x80 | 13 << 3);  // no columns
        for (int k = 0; k < 9; ++k) code.line_table.push_back(0x7e);
        code.line_table.push_back(0x3e);
    }
    CHECK_FALSE(trace::line_of(code, 0x030b07f0, 300).has_value());
}

TEST_CASE("a zombie is not taken for a child that says it started at the end of time",
          "[hostile]") {
    record::ProcessStatus status{};
    trace::ProcessRecord process = record::forked_now();
    process.start_ns = GENERATE(~uint64_t{0}, uint64_t{1} << 63, (uint64_t{1} << 63) - 1);
    const auto fate = record::fate_of_zombie(status, true, process, record::monotonic_ns());
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
            event.python_stack = 9;
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
