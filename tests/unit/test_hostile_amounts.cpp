// Small traces that come to much: names that are told any number of times, lists that are gone
// through for each event. Memory is limited in a process of its own; without the bounds that are
// tested here, it does not suffice.
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "attribute/build_report.h"
#include "attribute/recording_file.h"
#include "base/error.h"
#include "export/formats.h"
#include "symbolize/memory_allowance.h"
#include "tests/catch.h"
#include "tests/unit/growth.h"
#include "tests/unit/outside_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "tests/unit/trace_errors.h"
#include "trace/mapping_index.h"

using namespace cowscope;
using observe::Segment;
using trace::RecordType;

namespace {

constexpr uint64_t kStart = 0x10000000;
constexpr uint64_t kPageBytes = trace::kPageBytes;

// Whether `work` returns true in a process that may take so much more memory than this one has.
template <typename Work>
bool works_within(uint64_t more_bytes, const Work& work) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        symbolize::limit_memory(more_bytes);
        bool works = false;
        try {
            works = work();
        } catch (const std::exception&) {
        }
        _exit(works ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

template <typename Record>
void write_behind(Segment* segment, RecordType type, Record record, std::string behind) {
    behind.resize((behind.size() + sizeof(trace::PageRun) - 1) / sizeof(trace::PageRun) *
                  sizeof(trace::PageRun));
    std::vector<trace::PageRun> runs(behind.size() / sizeof(trace::PageRun));
    std::memcpy(runs.data(), behind.data(), behind.size());
    segment->write(type, record, runs);
}

void write_process(Segment* segment, trace::Role role, uint32_t parent, uint64_t start_ns) {
    trace::ProcessRecord process{};
    process.role = role;
    process.parent_pid = parent;
    process.start_ns = start_ns;
    process.parent_created_ns = role == trace::Role::fork ? 77 : 0;
    process.sample = 1;
    segment->write(RecordType::process, process);
}

// A parent that writes nothing, and a child that inherited `pages`, of which `write` tells.
template <typename Write>
void write_trace(const TemporaryFolder& folder, uint64_t pages, const Write& write) {
    Segment parent(folder / "process-7-77.cowseg", 7);
    write_process(&parent, trace::Role::image, 1, 10);
    Segment child(folder / "process-8-77.cowseg", 8);
    write_process(&child, trace::Role::fork, 7, 20);
    trace::InheritedRecord inherited{};
    inherited.time_ns = 21;
    inherited.tracker = trace::Tracker::userfaultfd;
    inherited.witness = trace::Witness::trap;
    inherited.run_count = 1;
    child.write(RecordType::inherited, inherited, {{kStart, pages}});
    write(&child);
}

// A site: add dword ptr [rax], 1.
void write_site(Segment* segment) {
    segment->write(RecordType::stack, trace::StackRecord{{}, 0, 1}, {{0x401000, 0}});
    trace::SiteRecord site{};
    site.instruction_pointer = 0x401000;
    site.code[0] = 0x83;
    site.code[2] = 0x01;
    segment->write(RecordType::site, site);
}

void write_event(Segment* segment, uint64_t page, uint32_t runtime_stack = trace::kNoRuntimeStack) {
    trace::EventRecord event{};
    event.time_ns = 1000 + page;
    event.address = kStart + page * kPageBytes;
    event.runtime_stack = runtime_stack;
    segment->write(RecordType::event, event);
}

constexpr uint16_t kLong = 20'000;

// So many stacks of a hundred frames, all of one function of a long name with a table of lines, and
// a write from each.
void write_long_python(Segment* segment, uint32_t stacks, uint16_t table_bytes = kLong) {
    write_site(segment);
    trace::RuntimeRecord python{};
    python.version = 0x030b07f0;
    segment->write(RecordType::runtime, python);
    trace::RuntimeCodeRecord code{};
    code.name_bytes = code.file_bytes = kLong;
    code.line_table_bytes = table_bytes;
    code.first_line = 1;
    // The last part is lines: each entry one unit of two bytes of code, one line further.
    std::string text = std::string(2 * kLong, 'x');
    for (int i = 0; i < table_bytes / 3; ++i) text += std::string("\xd8\x00\x00", 3);
    text.resize(size_t{2} * kLong + table_bytes);
    write_behind(segment, RecordType::runtime_code, code, text);
    for (uint32_t id = 0; id < stacks; ++id) {
        std::vector<trace::RuntimeFrame> frames(100);
        for (size_t i = 0; i < frames.size(); ++i) {
            frames[i] = {0,
                         static_cast<int32_t>(table_bytes / 3 * 2 - 2 - 2 * static_cast<int>(i))};
        }
        trace::RuntimeStackRecord stack{};
        stack.id = id;
        stack.depth = static_cast<uint16_t>(frames.size());
        write_behind(segment, RecordType::runtime_stack, stack,
                     {reinterpret_cast<const char*>(frames.data()),
                      frames.size() * sizeof(trace::RuntimeFrame)});
        write_event(segment, id, id);
    }
}

bool exports_within(const std::string& folder, const std::string& file,
                    std::unique_ptr<exports::Writer> (*make)(exports::Output*)) {
    exports::Output output(file);
    const auto writer = make(&output);
    exports::export_trace(folder, writer.get());
    output.finish();
    return true;
}

}  // namespace

TEST_CASE("a name that is told in any number of frames is not kept as often", "[hostile]") {
    constexpr uint32_t kStacks = 400;
    constexpr uint64_t kMemory = uint64_t{500} << 20;
    const TemporaryFolder folder;
    const TemporaryFolder out;
    write_trace(folder, kStacks, [](Segment* child) { write_long_python(child, kStacks); });
    CHECK(works_within(kMemory, [&] {
        const attribute::Report report = attribute::build_report(folder.path());
        return report.totals.copied_pages == kStacks && report.sites.size() >= 1;
    }));
    CHECK(works_within(kMemory, [&] {
        return exports_within(folder.path(), out / "collapsed", exports::collapsed_writer);
    }));
    CHECK(works_within(kMemory, [&] {
        return exports_within(folder.path(), out / "speedscope", exports::speedscope_writer);
    }));
}

TEST_CASE("a table of lines is taken apart once, however many frames ask", "[hostile]") {
    constexpr uint32_t kStacks = 300;
    const auto seconds_with = [](uint16_t table_bytes) {
        const TemporaryFolder folder;
        write_trace(folder, kStacks,
                    [&](Segment* child) { write_long_python(child, kStacks, table_bytes); });
        return cpu_seconds_of([&] { attribute::build_report(folder.path()); });
    };
    // Eight times the table; once for each frame that is nearly eight times the work.
    constexpr double kMostGrowth = 3;
    CHECK(seconds_with(kLong) < kMostGrowth * seconds_with(kLong / 8));
}

TEST_CASE("any number of lists of mappings are searched like one", "[hostile]") {
    // Each event's address is in none of them.
    const auto write = [](Segment* child, size_t lists) {
        write_site(child);
        const std::string text = "00400000-00500000 r-xp 00000000 00:00 0 /nowhere\n";
        for (size_t i = 0; i < lists; ++i) {
            trace::MappingsRecord mappings{};
            mappings.text_bytes = static_cast<uint32_t>(text.size());
            write_behind(child, RecordType::mappings, mappings, text);
            write_event(child, i);
        }
    };
    constexpr size_t kLists = 2000;
    const TemporaryFolder small;
    const TemporaryFolder large;
    write_trace(small, kLists * kGrowth, [&](Segment* child) { write(child, kLists); });
    write_trace(large, kLists * kGrowth, [&](Segment* child) { write(child, kLists * kGrowth); });
    CHECK(cpu_seconds_of([&] { attribute::build_report(large.path()); }) <
          kInProportion * cpu_seconds_of([&] { attribute::build_report(small.path()); }));
}

TEST_CASE("the first list that has an address mapped tells what it was", "[trace]") {
    const auto list_of = [](const std::string& text) {
        return std::make_shared<const trace::Mappings>(text, 0);
    };
    const std::vector<std::shared_ptr<const trace::Mappings>> lists = {
        list_of("2000-3000 r-xp 00000000 00:00 0 /a\n5000-6000 r-xp 00000000 00:00 0 /b\n"),
        list_of("1000-7000 rw-p 00000000 00:00 0 /c\n"),
        list_of("0000-2000 rw-p 00000000 00:00 0 /d\n6000-9000 rw-p 00000000 00:00 0 /e\n"),
    };
    const trace::MappingIndex index(lists);
    // As going through all of them tells.
    for (uint64_t address = 0; address < 0xa000; address += 0x400) {
        const trace::Mapping* expected = nullptr;
        for (const auto& list : lists) {
            if (expected == nullptr) expected = list->find(address);
        }
        CAPTURE(address);
        CHECK(index.find(address).mapping == expected);
    }
    CHECK(index.find(0x2000).list == 0);
    CHECK(index.find(0x3000).list == 1);
    CHECK(index.find(0x8fff).list == 2);
}

TEST_CASE("a recording.json takes memory in proportion to its size", "[hostile]") {
    const TemporaryFolder folder;
    const std::string head = R"({"command":["a"],"start_ns":1,"end_ns":2,"notes":["n"],"x":)";
    const std::string tail = R"(,"exit":{"kind":"exit","value":0}})";
    constexpr size_t kBytes = size_t{16} << 20;
    const auto repeated = [](const std::string& part) {
        std::string all = part;
        while (all.size() < kBytes) all += std::string(all);
        return all;
    };
    std::string text;
    bool is_sound = false;
    SECTION("lists in a list") {
        text = head + "[" + repeated("[],") + "[]]" + tail;
        is_sound = true;
    }
    SECTION("lists in lists") {
        text = std::string(kBytes, '[');
    }
    SECTION("numbers") {
        text = head + "[" + repeated("0,") + "0]" + tail;
        is_sound = true;
    }
    SECTION("a text without an end") {
        text = head + '"' + std::string(kBytes, 'x');
    }
    SECTION("a command of empty words") {
        text = R"({"command":[)" + repeated(R"("",)");
    }
    std::ofstream(folder / "recording.json", std::ios::binary) << text;
    CHECK(works_within(uint64_t{16} * kBytes, [&] {
        const attribute::Recording recording = attribute::read_recording(folder.path());
        return recording.exit.has_value() == is_sound &&
               contains(recording.notes.back(), is_sound ? "n" : "recording.json: damaged");
    }));
}
