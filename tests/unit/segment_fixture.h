// Segments of known content, by the shim's own writer.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "preload/format/runtime_format.h"
#include "session/writer.h"
#include "tests/catch.h"

namespace cowscope {

using trace::RecordType;

template <typename Record>
inline void write(session::Writer* writer, RecordType type, Record record,
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

inline void write_process(session::Writer* writer, uint32_t pid) {
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

inline trace::EventRecord event_at(uint64_t address, uint64_t time_ns) {
    trace::EventRecord event{};
    event.time_ns = time_ns;
    event.address = address;
    event.word = 41;
    event.next_word = 0x5000;
    event.site = 0;
    event.tid = 77;
    event.type = 0x5000;
    event.object_offset = -8;
    event.runtime_stack = trace::kNoRuntimeStack;
    return event;
}

inline void write_site(session::Writer* writer) {
    write(writer, RecordType::stack, trace::StackRecord{{}, 0, 2},
          bytes_of(std::vector<uint64_t>{0x401000, 0x402000}));
    trace::SiteRecord site{};
    site.instruction_pointer = 0x401000;
    site.code[0] = 0x48;
    write(writer, RecordType::site, site);
}

// The records of a CPython interpreter: one stack of two frames.
inline void write_python(session::Writer* writer) {
    trace::RuntimeRecord python{};
    python.version = 0x030b07f0;
    python.type_type = 0x6000;
    write(writer, RecordType::runtime, python);
    trace::RuntimeThreadRecord thread{};
    thread.address = 0x7000;
    thread.bytes = 360;
    thread.tid = 77;
    write(writer, RecordType::runtime_thread, thread);
    for (uint32_t id = 0; id < 2; ++id) {
        trace::RuntimeCodeRecord code{};
        code.id = id;
        code.first_line = 10;
        code.address = 0x8000 + id * 0x1000;
        code.bytes = 200;
        code.name_bytes = 4;
        code.file_bytes = 4;
        code.line_table_bytes = 2;
        write(writer, RecordType::runtime_code, code, "readx.py\x80\x02");
    }
    const std::vector<trace::RuntimeFrame> frames = {{0, 2}, {1 | trace::kEnteredFromC, -2}};
    write(writer, RecordType::runtime_stack, trace::RuntimeStackRecord{{}, 0, 2}, bytes_of(frames));
    trace::ObjectValueRecord value{};
    value.type = 0x5000;
    value.length = 3;
    value.kind = trace::ValueKind::str;
    value.text_bytes = 3;
    write(writer, RecordType::object_value, value, "abc");
}

inline void write_inherited(session::Writer* writer, const std::vector<trace::PageRun>& runs) {
    trace::InheritedRecord inherited{};
    inherited.time_ns = 2000;
    inherited.tracker = trace::Tracker::userfaultfd;
    inherited.witness = trace::Witness::trap;
    inherited.run_count = static_cast<uint32_t>(runs.size());
    write(writer, RecordType::inherited, inherited, bytes_of(runs));
}

// A whole small segment.
inline void write_segment(const std::string& path) {
    session::Writer writer;
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
    event.runtime_stack = 0;
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
    writer.count_loss(&trace::LossRecord::blocked_events, 6);
}

}  // namespace cowscope
