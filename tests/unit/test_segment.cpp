// The segment format: the shim's writer held against the analyzer's reader.
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "session/writer.h"
#include "tests/catch.h"
#include "tests/unit/segment_fixture.h"
#include "tests/unit/temporary_folder.h"
#include "tests/unit/trace_errors.h"
#include "trace/process_trace.h"
#include "trace/trace.h"

using namespace cowscope;

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
    REQUIRE(process.epochs.size() == 1);
    const trace::Epoch& epoch = process.epochs[0];
    CHECK(epoch.inherited.pages() == 6);
    CHECK(epoch.inherited.contains(0x7f0000003fff));
    CHECK_FALSE(epoch.inherited.contains(0x7f0000004000));
    CHECK(epoch.copied.pages() == 1);
    CHECK(epoch.fresh_pages == 9);
    CHECK(epoch.census == trace::CensusKind::final);
    REQUIRE(process.stacks.size() == 1);
    CHECK(process.stacks[0].ips == std::vector<uint64_t>{0x401000, 0x402000});
    REQUIRE(process.sites.size() == 1);
    CHECK(process.sites[0].code[0] == 0x48);
    REQUIRE(process.exemplars.at(0).size() == 1);
    CHECK(process.exemplars.at(0)[0].registers[3] == 0xabc);
    CHECK(process.exemplars.at(0)[0].event.word == 41);
    CHECK(process.types.at(0x5000) == "str");
    REQUIRE(process.runtime.interpreter);
    CHECK(process.runtime.interpreter->version == 0x030b07f0);
    REQUIRE(process.runtime.threads.size() == 1);
    CHECK(process.runtime.threads[0].address == 0x7000);
    REQUIRE(process.runtime.codes.size() == 2);
    CHECK(process.runtime.codes[1].name == "read");
    CHECK(process.runtime.codes[1].file == "x.py");
    CHECK(process.runtime.codes[1].address == 0x9000);
    CHECK(process.runtime.codes[1].line_table == std::vector<uint8_t>{0x80, 0x02});
    REQUIRE(process.runtime.stacks.size() == 1);
    REQUIRE(process.runtime.stacks[0].frames.size() == 2);
    CHECK(process.runtime.stacks[0].frames[1].code == (1 | trace::kEnteredFromC));
    CHECK(process.runtime.stacks[0].frames[1].instruction_offset == -2);
    REQUIRE(process.runtime.values.size() == 1);
    CHECK(process.runtime.values[0].text == "abc");
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
                              const size_t index = place.epoch;
                              ++events;
                              CHECK(index == 0);
                              CHECK(event.address == 0x7f0000001008);
                              CHECK(event.next_word == 0x5000);
                              CHECK(event.tid == 77);
                              CHECK(event.type == 0x5000);
                              CHECK(event.object_offset == -8);
                              CHECK(event.runtime_stack == 0);
                          });
    CHECK(events == 1);
}

TEST_CASE("an event whose neighbour is its type is short") {
    const TemporaryFolder folder;
    const std::string path = folder / "process-1-2.cowseg";
    session::Writer writer;
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
    add(trace::kNextWordIsType);
    std::vector<uint64_t> neighbours;
    const auto take = [&](const trace::EventRecord& event, const trace::EventPlace&) {
        neighbours.push_back(event.next_word);
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
        session::Writer writer;
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
    session::Writer writer;
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
    // What an event stands for only its writer knows.
    CHECK(writer.losses(&trace::LossRecord::unwritten_events) == 0);
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
