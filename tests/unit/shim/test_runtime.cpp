// A language runtime that was made up, as the shim meets one: it is found, asked and forgotten.
#include <cstring>
#include <vector>

#include "runtime/active.h"
#include "tests/catch.h"

namespace {

using namespace cowscope;
using runtime::CodeText;
using runtime::CountedFrame;
using runtime::Found;
using runtime::Observation;
using runtime::Observer;
using runtime::Runtime;
using runtime::Wanted;
using runtime::Write;

// What the program has loaded, and what the members were told.
struct World {
    bool has_made_up = false;
    bool has_other = false;
    uint64_t detail_set = 0;  // 0: nobody's
    unsigned created = 0;
};
World world;

struct State {
    uint64_t events;
    uint64_t forgotten;
};

constexpr uint64_t kDetail = 4711;

bool find_made_up(Found* found) {
    if (!world.has_made_up) return false;
    found->presence.code = {0x1000, 0x2000};
    found->presence.version = 7;
    found->presence.has_frames = true;
    std::memcpy(found->details, &kDetail, sizeof(kDetail));
    return true;
}

void set_detail(const Found* found) {
    world.detail_set = 0;
    if (found != nullptr) std::memcpy(&world.detail_set, found->details, sizeof(uint64_t));
}

void* create_state(Arena& arena) {
    ++world.created;
    return arena.create_object<State>();
}

Observation observe(void* state, Arena&, const RecordSink& sink, const Write& write,
                    const Wanted& wanted) {
    auto* record = sink.begin<trace::TypeRecord>(trace::RecordType::type, wanted.frames);
    if (record != nullptr) {
        record->address = write.words[1];
        sink.commit();
    }
    Observation seen;
    seen.stack = static_cast<uint32_t>(static_cast<State*>(state)->events++);
    seen.type = write.words[1];
    return seen;
}

uint32_t count_frames(void*, const runtime::Memory& memory, CountedFrame* frames, uint32_t limit) {
    for (uint32_t i = 0; i < limit; ++i) frames[i] = {memory.stack.start + i, i, 0};
    return limit;
}

bool read_code(void*, uint64_t code, uint64_t most_line_bytes, CodeText* text) {
    *text = {sizeof(trace::RuntimeCodeRecord) + most_line_bytes, code};
    return code != 0;
}

bool write_code(const void*, trace::RuntimeCodeRecord* record) {
    record->first_line = 12;
    return true;
}

void forget_modules(void* state) {
    ++static_cast<State*>(state)->forgotten;
}

constexpr Runtime kMadeUp = {find_made_up, set_detail, create_state, observe,
                             count_frames, read_code,  write_code,   forget_modules};
constexpr Runtime kOther = {[](Found*) { return world.has_other; },
                            [](const Found*) {},
                            create_state,
                            observe,
                            count_frames,
                            read_code,
                            write_code,
                            forget_modules};
constexpr const Runtime* kMembers[] = {&kMadeUp, &kOther};

// Keeps what was committed.
struct Trace {
    std::vector<uint64_t> room = std::vector<uint64_t>(64);
    trace::RecordType type = {};
    size_t bytes = 0;
    unsigned committed = 0;

    static const RecordSink::Functions kFunctions;
    RecordSink sink() { return {kFunctions, this}; }
    template <typename Record>
    const Record& record() const {
        return *reinterpret_cast<const Record*>(room.data());
    }
};

const RecordSink::Functions Trace::kFunctions = {
    [](void* to, trace::RecordType type, size_t bytes) -> void* {
        auto& trace = *static_cast<Trace*>(to);
        trace.type = type;
        trace.bytes = bytes;
        return trace.room.data();
    },
    nullptr,
    [](void* to) { return ++static_cast<Trace*>(to)->committed != 0; },
};

// With a program that has loaded nothing yet.
struct Program {
    Arena arena;
    Observer observer = {};
    Found found;

    Program() {
        world = {};
        runtime::activate(nullptr);
        REQUIRE(arena.create());
    }
    ~Program() { runtime::activate(nullptr); }
    bool look() {
        if (!runtime::find_first(kMembers, &found)) return false;
        runtime::activate(&found);
        return true;
    }
};

const Write kWrite = {0x5000, {1, 0x6000}, 0x5000, 3, {}, {}};

}  // namespace

TEST_CASE("a runtime that is not loaded is not asked", "[runtime]") {
    Program program;
    CHECK_FALSE(program.look());
    CHECK_FALSE(runtime::is_active());
    CHECK_FALSE(program.observer.begin(program.arena));
    program.observer.forget_modules();
    CHECK(world.created == 0);
}

TEST_CASE("a runtime that was loaded is found, and says where its code is", "[runtime]") {
    Program program;
    world.has_made_up = true;
    REQUIRE(program.look());
    CHECK(runtime::active.runtime == &kMadeUp);
    CHECK(runtime::active.code.start == 0x1000);
    CHECK(runtime::active.code.end == 0x2000);
    CHECK(runtime::active.version == 7);
    CHECK(runtime::active.has_frames);
    CHECK(world.detail_set == kDetail);
}

TEST_CASE("of two runtimes the first in the table is asked", "[runtime]") {
    Program program;
    world.has_other = true;
    REQUIRE(program.look());
    CHECK(runtime::active.runtime == &kOther);
    world.has_made_up = true;
    REQUIRE(program.look());
    CHECK(runtime::active.runtime == &kMadeUp);
}

TEST_CASE("a runtime is asked of each write, and keeps what it remembers", "[runtime]") {
    Program program;
    Trace trace;
    world.has_made_up = true;
    REQUIRE(program.look());
    for (uint32_t i = 0; i < 3; ++i) {
        REQUIRE(program.observer.begin(program.arena));
        const Observation seen =
            program.observer.observe(program.arena, trace.sink(), kWrite, {16, false});
        CHECK(seen.stack == i);
        CHECK(seen.type == 0x6000);
        CHECK(trace.committed == i + 1);
    }
    CHECK(world.created == 1);
    CHECK(trace.type == trace::RecordType::type);
    CHECK(trace.bytes == sizeof(trace::TypeRecord) + 16);
    CHECK(trace.record<trace::TypeRecord>().address == 0x6000);
}

TEST_CASE("a runtime's frames are counted without a trace, and their code is named", "[runtime]") {
    Program program;
    world.has_made_up = true;
    REQUIRE(program.look());
    REQUIRE(program.observer.begin(program.arena));
    CountedFrame frames[4] = {};
    const runtime::Memory memory = {1, {0x7000, 0x8000}, runtime::InCode::yes};
    REQUIRE(program.observer.count_frames(memory, frames, 3) == 3);
    CHECK(frames[2].code == 0x7002);
    CHECK(frames[3].code == 0);
    CodeText text = {};
    REQUIRE(program.observer.read_code(frames[2].code, 100, &text));
    CHECK(text.record_bytes == sizeof(trace::RuntimeCodeRecord) + 100);
    CHECK(text.key == 0x7002);
    trace::RuntimeCodeRecord record = {};
    REQUIRE(program.observer.write_code(&record));
    CHECK(record.first_line == 12);
    CHECK_FALSE(program.observer.read_code(0, 100, &text));
}

TEST_CASE("a runtime that is unloaded is not asked, and is the same when it is back", "[runtime]") {
    Program program;
    Trace trace;
    world.has_made_up = true;
    REQUIRE(program.look());
    REQUIRE(program.observer.begin(program.arena));
    program.observer.observe(program.arena, trace.sink(), kWrite, {});

    runtime::activate(nullptr);
    CHECK_FALSE(runtime::is_active());
    CHECK(world.detail_set == 0);
    CHECK_FALSE(program.observer.begin(program.arena));
    program.observer.forget_modules();

    REQUIRE(program.look());
    CHECK(world.detail_set == kDetail);
    REQUIRE(program.observer.begin(program.arena));
    CHECK(program.observer.observe(program.arena, trace.sink(), kWrite, {}).stack == 1);
    CHECK(world.created == 1);
}

TEST_CASE("another runtime in its place remembers nothing of it", "[runtime]") {
    Program program;
    Trace trace;
    world.has_made_up = true;
    REQUIRE(program.look());
    REQUIRE(program.observer.begin(program.arena));
    program.observer.observe(program.arena, trace.sink(), kWrite, {});
    runtime::activate(nullptr);
    world.has_made_up = false;
    world.has_other = true;
    REQUIRE(program.look());
    REQUIRE(program.observer.begin(program.arena));
    CHECK(program.observer.observe(program.arena, trace.sink(), kWrite, {}).stack == 0);
    CHECK(world.created == 2);
}

TEST_CASE("a runtime without memory is not asked", "[runtime]") {
    Program program;
    world.has_made_up = true;
    REQUIRE(program.look());
    while (program.arena.allocate(sizeof(State)) != nullptr) {
    }
    CHECK_FALSE(program.observer.begin(program.arena));
    CHECK_FALSE(program.observer.begin(program.arena));
}
