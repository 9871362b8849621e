// The segment format: the shim's writer held against the analyzer's reader, and the reader against
// torn and wrong files.
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "error.h"
#include "segment/writer.h"
#include "tests/catch.h"
#include "tests/unit/temporary_folder.h"
#include "tests/unit/trace_errors.h"
#include "trace/process_trace.h"
#include "trace/trace.h"

using namespace cowscope;
using trace::RecordType;

namespace {

template <typename Record>
void write(segment::Writer* writer, RecordType type, Record record,
           const std::string& behind = "") {
    auto* room = writer->begin<Record>(type, behind.size());
    REQUIRE(room != nullptr);
    record.header = room->header;
    record.header.flags = 0;
    *room = record;
    std::memcpy(room + 1, behind.data(), behind.size());
    writer->commit();
}

template <typename Item>
std::string bytes_of(const std::vector<Item>& items) {
    return {reinterpret_cast<const char*>(items.data()), items.size() * sizeof(Item)};
}

void write_process(segment::Writer* writer, uint32_t pid) {
    trace::ProcessRecord process{};
    process.start_ns = 1000;
    process.pid = pid;
    process.parent_pid = 1;
    process.role = trace::Role::fork;
    process.sample = 1;
    const std::string command("prog\0-x\0", 8);
    const std::string executable = "/usr/bin/prog";
    process.command_bytes = static_cast<uint32_t>(command.size());
    process.executable_bytes = static_cast<uint32_t>(executable.size());
    write(writer, RecordType::process, process, command + executable);
}

trace::EventRecord event_at(uint64_t address, uint64_t time_ns) {
    trace::EventRecord event{};
    event.time_ns = time_ns;
    event.address = address;
    event.word = 41;
    event.neighbour = 0x5000;
    event.site = 0;
    event.tid = 77;
    event.type = 0x5000;
    event.object_offset = -8;
    event.python_stack = trace::kNoPythonStack;
    return event;
}

void write_site(segment::Writer* writer) {
    write(writer, RecordType::stack, trace::StackRecord{{}, 0, 2},
          bytes_of(std::vector<uint64_t>{0x401000, 0x402000}));
    trace::SiteRecord site{};
    site.instruction_pointer = 0x401000;
    site.code[0] = 0x48;
    write(writer, RecordType::site, site);
}

// The records of a CPython interpreter: one stack of two frames.
void write_python(segment::Writer* writer) {
    trace::PythonRecord python{};
    python.version = 0x030b07f0;
    python.type_type = 0x6000;
    write(writer, RecordType::python, python);
    trace::PythonThreadRecord thread{};
    thread.address = 0x7000;
    thread.bytes = 360;
    thread.tid = 77;
    write(writer, RecordType::python_thread, thread);
    for (uint32_t id = 0; id < 2; ++id) {
        trace::PythonCodeRecord code{};
        code.id = id;
        code.first_line = 10;
        code.address = 0x8000 + id * 0x1000;
        code.bytes = 200;
        code.name_bytes = 4;
        code.file_bytes = 4;
        code.line_table_bytes = 2;
        write(writer, RecordType::python_code, code, "readx.py\x80\x02");
    }
    const std::vector<trace::PythonFrame> frames = {{0, 2}, {1 | trace::kEnteredFromC, -2}};
    write(writer, RecordType::python_stack, trace::PythonStackRecord{{}, 0, 2}, bytes_of(frames));
    trace::PythonValueRecord value{};
    value.type = 0x5000;
    value.length = 3;
    value.kind = trace::ValueKind::str;
    value.text_bytes = 3;
    write(writer, RecordType::python_value, value, "abc");
}

void write_inherited(segment::Writer* writer, const std::vector<trace::PageRun>& runs) {
    trace::InheritedRecord inherited{};
    inherited.time_ns = 2000;
    inherited.tracker = trace::Tracker::userfaultfd;
    inherited.witness = trace::Witness::trap;
    inherited.run_count = static_cast<uint32_t>(runs.size());
    write(writer, RecordType::inherited, inherited, bytes_of(runs));
}

// A whole small segment.
void write_segment(const std::string& path) {
    segment::Writer writer;
    REQUIRE(writer.create(path.c_str(), 123, 999) == 0);
    write_process(&writer, 123);
    trace::MappingsRecord mappings{};
    const std::string text =
        "00400000-00500000 r-xp 00000000 00:00 0    /usr/bin/prog\n"
        "7f0000000000-7f0000010000 rw-p 00000000 00:00 0 \n";
    mappings.text_bytes = static_cast<uint32_t>(text.size());
    write(&writer, RecordType::mappings, mappings, text);
    write_inherited(&writer, {{0x7f0000000000, 4}, {0x7f0000008000, 2}});
    write_site(&writer);
    write_python(&writer);
    trace::ExemplarRecord exemplar{};
    exemplar.registers[3] = 0xabc;
    write(&writer, RecordType::exemplar, exemplar);
    trace::EventRecord event = event_at(0x7f0000001008, 3000);
    event.python_stack = 0;
    write(&writer, RecordType::event, event);
    write(&writer, RecordType::type, trace::TypeRecord{{}, 0x5000, 3, 0}, "str");
    trace::CensusRecord census{};
    census.time_ns = 4000;
    census.fresh_pages = 9;
    census.kind = trace::CensusKind::final;
    census.run_count = 1;
    write(&writer, RecordType::census, census,
          bytes_of(std::vector<trace::PageRun>{{0x7f0000001000, 1}}));
    trace::MemoryRecord memory{};
    memory.moment = trace::MemoryMoment::end;
    memory.private_dirty_kb = 40;
    write(&writer, RecordType::memory, memory);
    write(&writer, RecordType::fork, trace::ForkRecord{{}, 4500, 1, 0});
    write(&writer, RecordType::note,
          trace::NoteRecord{{}, 4600, trace::NoteCode::witness_unavailable, 13, 0});
    write(&writer, RecordType::end, trace::EndRecord{{}, 5000, trace::EndKind::signal, {}, 15});
    writer.loss()->blocked_events = 6;
}

void patch(const std::string& path, std::streamoff offset, const std::string& bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

uint64_t offset_of(const std::string& path, RecordType type) {
    trace::SegmentReader reader(path);
    while (const auto record = reader.next()) {
        if (record->type == type) return record->offset;
    }
    FAIL("no such record");
    return 0;
}

}  // namespace

TEST_CASE("every record comes back as it was written") {
    TemporaryFolder folder;
    const std::string path = folder / "process-123-999.cowseg";
    write_segment(path);
    CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::mask) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));

    const trace::ProcessTrace process = trace::load_process(path);
    CHECK_FALSE(process.damage);
    CHECK(process.pid() == 123);
    CHECK(process.process.parent_pid == 1);
    CHECK(process.process.role == trace::Role::fork);
    CHECK(process.command == std::vector<std::string>{"prog", "-x"});
    CHECK(process.executable == "/usr/bin/prog");
    REQUIRE(process.mappings.size() == 1);
    REQUIRE(process.mappings[0]->find(0x401000) != nullptr);
    CHECK(process.mappings[0]->find(0x401000)->path == "/usr/bin/prog");
    CHECK(process.mappings[0]->find(0x500000) == nullptr);
    REQUIRE(process.generations.size() == 1);
    const trace::Generation& generation = process.generations[0];
    CHECK(generation.inherited.pages() == 6);
    CHECK(generation.inherited.contains(0x7f0000003fff));
    CHECK_FALSE(generation.inherited.contains(0x7f0000004000));
    CHECK(generation.copied.pages() == 1);
    CHECK(generation.fresh_pages == 9);
    CHECK(generation.census == trace::CensusKind::final);
    REQUIRE(process.stacks.size() == 1);
    CHECK(process.stacks[0].ips == std::vector<uint64_t>{0x401000, 0x402000});
    REQUIRE(process.sites.size() == 1);
    CHECK(process.sites[0].code[0] == 0x48);
    REQUIRE(process.exemplars.at(0).size() == 1);
    CHECK(process.exemplars.at(0)[0].registers[3] == 0xabc);
    CHECK(process.exemplars.at(0)[0].event.word == 41);
    CHECK(process.types.at(0x5000) == "str");
    REQUIRE(process.python.interpreter);
    CHECK(process.python.interpreter->version == 0x030b07f0);
    REQUIRE(process.python.threads.size() == 1);
    CHECK(process.python.threads[0].address == 0x7000);
    REQUIRE(process.python.codes.size() == 2);
    CHECK(process.python.codes[1].name == "read");
    CHECK(process.python.codes[1].file == "x.py");
    CHECK(process.python.codes[1].address == 0x9000);
    CHECK(process.python.codes[1].line_table == std::vector<uint8_t>{0x80, 0x02});
    REQUIRE(process.python.stacks.size() == 1);
    REQUIRE(process.python.stacks[0].frames.size() == 2);
    CHECK(process.python.stacks[0].frames[1].code == (1 | trace::kEnteredFromC));
    CHECK(process.python.stacks[0].frames[1].instruction_offset == -2);
    REQUIRE(process.python.values.size() == 1);
    CHECK(process.python.values[0].text == "abc");
    CHECK(process.memory_at_end->private_dirty_kb == 40);
    CHECK(process.fork_times_ns == std::vector<uint64_t>{4500});
    REQUIRE(process.end);
    CHECK(process.end->value == 15);
    CHECK(process.loss.blocked_events == 6);
    REQUIRE(process.notes.size() == 1);
    CHECK(process.notes[0].value == 13);
    CHECK(process.last_time_ns == 5000);

    int events = 0;
    trace::for_each_event(process,
                          [&](const trace::EventRecord& event, const trace::EventPlace& place) {
                              const size_t index = place.generation;
                              ++events;
                              CHECK(index == 0);
                              CHECK(event.address == 0x7f0000001008);
                              CHECK(event.neighbour == 0x5000);
                              CHECK(event.tid == 77);
                              CHECK(event.type == 0x5000);
                              CHECK(event.object_offset == -8);
                              CHECK(event.python_stack == 0);
                          });
    CHECK(events == 1);
}

TEST_CASE("an event whose neighbour is its type is short") {
    const TemporaryFolder folder;
    const std::string path = folder / "process-1-2.cowseg";
    segment::Writer writer;
    REQUIRE(writer.create(path.c_str(), 1, 2) == 0);
    write_process(&writer, 1);
    write_site(&writer);
    trace::InheritedRecord inherited{};
    write(&writer, RecordType::inherited, inherited);
    const auto add = [&](uint16_t flags) {
        auto* room = static_cast<trace::EventRecord*>(
            writer.begin_bytes(RecordType::event, trace::kShortEventBytes));
        REQUIRE(room != nullptr);
        const trace::RecordHeader header = room->header;
        const trace::EventRecord event = event_at(0x7f0000001000, 3000);
        std::memcpy(static_cast<void*>(room), &event, trace::kShortEventBytes);
        room->header = header;
        room->header.flags = flags;
        writer.commit();
    };
    add(trace::kNeighbourIsType);
    std::vector<uint64_t> neighbours;
    const auto take = [&](const trace::EventRecord& event, const trace::EventPlace&) {
        neighbours.push_back(event.neighbour);
    };
    trace::for_each_event(trace::load_process(path), take);
    CHECK(neighbours == std::vector<uint64_t>{0x5000});
    SECTION("others must be whole") {
        add(0);
        const auto process = trace::load_process(path);
        REQUIRE(process.damage);
        CHECK(process.damage->find("event record") != std::string::npos);
    }
}

TEST_CASE("a segment grows through many windows without losing an event") {
    TemporaryFolder folder;
    const std::string path = folder / "process-1-1.cowseg";
    constexpr uint64_t kEvents = 100'000;
    {
        segment::Writer writer;
        REQUIRE(writer.create(path.c_str(), 1, 1) == 0);
        write_process(&writer, 1);
        write_inherited(&writer, {{0x7f0000000000, kEvents}});
        write_site(&writer);
        for (uint64_t i = 0; i < kEvents; ++i) {
            auto* room = writer.begin<trace::EventRecord>(RecordType::event);
            if (room == nullptr) FAIL("no room at event " << i);
            const trace::RecordHeader header = room->header;
            *room = event_at(0x7f0000000000 + i * 4096, i);
            room->header = header;
            writer.commit();
        }
    }
    const trace::ProcessTrace process = trace::load_process(path);
    CHECK_FALSE(process.damage);
    uint64_t next = 0;
    bool in_order = true;
    trace::for_each_event(process, [&](const trace::EventRecord& event, const trace::EventPlace&) {
        in_order = in_order && event.time_ns == next++;
    });
    CHECK(in_order);
    CHECK(next == kEvents);
}

TEST_CASE("a torn segment keeps what stands before the tear, at every length") {
    TemporaryFolder folder;
    const std::string whole = folder / "process-123-999.cowseg";
    write_segment(whole);
    const uint64_t committed = trace::SegmentReader(whole).header().committed_bytes;
    size_t readable = 0;
    for (uint64_t length = 0; length < committed; length += 8) {
        const std::string torn = folder / "torn.cowseg";
        std::filesystem::copy_file(whole, torn, std::filesystem::copy_options::overwrite_existing);
        std::filesystem::resize_file(torn, length);
        try {
            const trace::ProcessTrace process = trace::load_process(torn);
            REQUIRE(process.damage);
            CHECK(process.damage->find("torn.cowseg") != std::string::npos);
            ++readable;
        } catch (const Error& error) {
            // Nothing of use: the tear is before the process record's end.
            CHECK(length <= offset_of(whole, RecordType::mappings));
            CHECK(std::string(error.what()).find('\n') == std::string::npos);
        }
    }
    CHECK(readable > 20);
}

TEST_CASE("what is no segment is refused in one line that says why") {
    TemporaryFolder folder;
    const std::string path = folder / "process-123-999.cowseg";
    write_segment(path);
    SECTION("no magic") {
        patch(path, 0, "NOTACOW!");
        CHECK(error_of(path).find("not a cowscope segment") != std::string::npos);
    }
    SECTION("a later version") {
        const uint32_t version = trace::kVersion + 1;
        patch(path, 8, std::string(reinterpret_cast<const char*>(&version), 4));
        CHECK(error_of(path).find("version") != std::string::npos);
    }
    SECTION("unknown features") {
        patch(path, 16, std::string("\x01", 1));
        CHECK(error_of(path).find("features") != std::string::npos);
    }
    SECTION("an empty file") {
        std::filesystem::resize_file(path, 0);
        CHECK(error_of(path).find("too short") != std::string::npos);
    }
    SECTION("a folder") {
        std::filesystem::remove(path);
        std::filesystem::create_directory(path);
        CHECK(error_of(path).find("not a regular file") != std::string::npos);
    }
}

TEST_CASE("damage names file, offset and kind of record") {
    TemporaryFolder folder;
    const std::string path = folder / "process-123-999.cowseg";
    write_segment(path);
    const auto damage = [&](RecordType type, std::streamoff field, const std::string& bytes) {
        const uint64_t offset = offset_of(path, type);
        patch(path, static_cast<std::streamoff>(offset) + field, bytes);
        const auto found = trace::load_process(path).damage;
        REQUIRE(found);
        CHECK(found->find(path) == 0);
        CHECK(found->find("offset " + std::to_string(offset)) != std::string::npos);
        return *found;
    };
    const std::string huge("\xff\xff\xff\x7f", 4);
    SECTION("an impossible length") {
        CHECK(damage(RecordType::event, 0, huge).find("event record") != std::string::npos);
    }
    SECTION("a length of zero") {
        CHECK(damage(RecordType::site, 0, std::string(4, '\0')).find("site record") !=
              std::string::npos);
    }
    SECTION("more runs than there is room for") {
        CHECK(damage(RecordType::census, offsetof(trace::CensusRecord, run_count), huge)
                  .find("claims") != std::string::npos);
    }
    SECTION("a stack of impossible depth") {
        CHECK(damage(RecordType::stack, offsetof(trace::StackRecord, depth), huge)
                  .find("stack record") != std::string::npos);
    }
    SECTION("a site that is not there") {
        CHECK(damage(RecordType::event, offsetof(trace::EventRecord, site), huge)
                  .find("names site") != std::string::npos);
    }
    SECTION("a Python stack that is not there") {
        CHECK(damage(RecordType::event, offsetof(trace::EventRecord, python_stack), huge)
                  .find("names Python stack") != std::string::npos);
    }
    SECTION("a Python stack of impossible depth") {
        CHECK(damage(RecordType::python_stack, offsetof(trace::PythonStackRecord, depth), huge)
                  .find("claims") != std::string::npos);
    }
    SECTION("a Python frame of code that is not there") {
        CHECK(damage(RecordType::python_stack, sizeof(trace::PythonStackRecord), huge)
                  .find("names code") != std::string::npos);
    }
    SECTION("a line table longer than its record") {
        CHECK(damage(RecordType::python_code, offsetof(trace::PythonCodeRecord, line_table_bytes),
                     huge)
                  .find("claims") != std::string::npos);
    }
    SECTION("a value longer than its record") {
        CHECK(damage(RecordType::python_value, offsetof(trace::PythonValueRecord, text_bytes), huge)
                  .find("claims") != std::string::npos);
    }
    SECTION("a run beyond the address space") {
        CHECK(damage(RecordType::inherited, sizeof(trace::InheritedRecord) + 8,
                     std::string(8, '\x7f'))
                  .find("impossible") != std::string::npos);
    }
    SECTION("a census of a generation that never began") {
        CHECK(damage(RecordType::census, offsetof(trace::CensusRecord, generation), huge)
                  .find("never began") != std::string::npos);
    }
}

TEST_CASE("records of a type that this version does not know are skipped") {
    TemporaryFolder folder;
    const std::string path = folder / "process-123-999.cowseg";
    write_segment(path);
    const uint64_t offset = offset_of(path, RecordType::type);
    patch(path, static_cast<std::streamoff>(offset) + 4, std::string("\x4d\x00", 2));
    const trace::ProcessTrace process = trace::load_process(path);
    CHECK_FALSE(process.damage);
    CHECK(process.types.empty());
    CHECK(process.end);
}

TEST_CASE("a file size limit is a counted loss and no signal") {
    TemporaryFolder folder;
    const std::string path = folder / "process-1-1.cowseg";
    struct rlimit old {};
    getrlimit(RLIMIT_FSIZE, &old);
    struct rlimit tight = old;
    tight.rlim_cur = 64 * 1024;
    // Its default action would end the test.
    const auto old_handler = std::signal(SIGXFSZ, SIG_DFL);
    setrlimit(RLIMIT_FSIZE, &tight);
    segment::Writer writer;
    const int created = writer.create(path.c_str(), 1, 1);
    uint64_t written = 0;
    uint64_t refused = 0;
    if (created == 0) {
        for (int i = 0; i < 10'000; ++i) {
            auto* room = writer.begin<trace::EventRecord>(RecordType::event);
            if (room == nullptr) {
                ++refused;
            } else {
                writer.commit();
                ++written;
            }
        }
    }
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, old_handler);
    CHECK(created == 0);
    CHECK(written > 100);
    CHECK(refused > 100);
    CHECK(writer.loss()->unwritten_events == refused);
}

TEST_CASE("a folder is a trace only with a segment in it") {
    TemporaryFolder folder;
    CHECK_THROWS_AS(trace::load(folder.path()), Error);
    CHECK_THROWS_AS(trace::load(folder / "missing"), Error);
    write_segment(folder / "process-123-999.cowseg");
    std::ofstream(folder / "process-5-5.cowseg") << "rubbish";
    const trace::Trace trace = trace::load(folder.path());
    CHECK(trace.processes.size() == 1);
    REQUIRE(trace.damage.size() == 1);
    CHECK(trace.damage[0].find("process-5-5.cowseg") != std::string::npos);
}
