// From events to classes of copies, on a small trace that is written here.
#include "attribute/attribution.h"
#include "tests/catch.h"
#include "tests/unit/segment_fixture.h"
#include "tests/unit/temporary_folder.h"

using namespace cowscope;
using attribute::CopyClass;
using attribute::Frame;
using attribute::FrameStack;

namespace {

constexpr uint64_t kStart = 0x7f0000000000;

void write_process(session::Writer* writer, trace::Role role, uint32_t parent, uint64_t start_ns) {
    trace::ProcessRecord process{};
    process.role = role;
    process.parent_pid = parent;
    process.parent_created_ns = parent == 0 ? 0 : 77;
    process.start_ns = start_ns;
    process.sample = 1;
    write(writer, RecordType::process, process);
}

void write_event(session::Writer* writer, uint64_t page, uint32_t runtime_stack) {
    trace::EventRecord event = event_at(kStart + page * trace::kPageBytes, 3000 + page);
    event.runtime_stack = runtime_stack;
    write(writer, RecordType::event, event);
}

// A parent that writes nothing. Of a child's eight inherited pages two are written from a Python
// stack, one without it, and one by nobody that was seen; all by one instruction.
void write_trace(const TemporaryFolder& folder) {
    session::Writer parent;
    REQUIRE(parent.create((folder / "process-7-77.cowseg").c_str(), 7, 77) == 0);
    write_process(&parent, trace::Role::image, 0, 10);

    session::Writer child;
    REQUIRE(child.create((folder / "process-8-77.cowseg").c_str(), 8, 77) == 0);
    write_process(&child, trace::Role::fork, 7, 1500);
    const std::string text = "00400000-00500000 r-xp 00000000 00:00 0    /nowhere/prog\n";
    trace::MappingsRecord mappings{};
    mappings.text_bytes = static_cast<uint32_t>(text.size());
    write(&child, RecordType::mappings, mappings, text);
    write_inherited(&child, {{kStart, 8}});
    write_site(&child);
    write_python(&child);
    write_event(&child, 0, 0);
    write_event(&child, 2, 0);
    write_event(&child, 4, trace::kNoRuntimeStack);
    trace::CensusRecord census{};
    census.time_ns = 4000;
    census.kind = trace::CensusKind::final;
    census.run_count = 4;
    write(&child, RecordType::census, census,
          bytes_of(std::vector<trace::PageRun>{{kStart, 1},
                                               {kStart + 2 * trace::kPageBytes, 1},
                                               {kStart + 4 * trace::kPageBytes, 1},
                                               {kStart + 6 * trace::kPageBytes, 1}}));
    write(&child, RecordType::end, trace::EndRecord{{}, 5000, trace::EndKind::exit, {}, 0});
}

}  // namespace

TEST_CASE("copies are of one class where nothing tells them apart", "[attribution]") {
    const TemporaryFolder folder;
    write_trace(folder);
    const trace::Trace trace = trace::load(folder.path());
    attribute::Attribution attribution(trace);
    CHECK(attribution.run().start_ns == 10);
    size_t processes = 0;
    attribution.for_each_process(
        attribute::WitnessedPages::list, [&](const attribute::ProcessCopies& process) {
            if (processes++ == 0) {
                CHECK(process.copies.copied_pages == 0);
                return;
            }
            CHECK(process.copies.copied_pages == 4);
            REQUIRE(process.copies.classes.size() == 2);
            const CopyClass& python = process.copies.classes[0];
            const CopyClass& other = process.copies.classes[1];
            CHECK(python.pages == 2);
            CHECK(python.line.function == "read");
            CHECK(python.line.file == "x.py");
            CHECK(other.pages == 1);
            CHECK(other.line == attribute::SourceLine{});
            CHECK(python.code.module == "prog");
            CHECK(python.code == other.code);
            CHECK(python.code.instruction != "");
            // The fourth: a census has it, and no event tells of it.
            REQUIRE(process.unwitnessed.size() == 1);
            CHECK(process.unwitnessed[0].cause == runtime::Cause::kernel);
            CHECK(process.unwitnessed[0].pages == 1);
            REQUIRE(process.copies.witnessed.size() == 3);
            CHECK(process.copies.witnessed[1].page == kStart + 2 * trace::kPageBytes);
            CHECK(process.copies.witnessed[1].copy_class == 0);
            CHECK(process.copies.witnessed[2].copy_class == 1);

            // Stacks of both have the same frames, not equal ones.
            const FrameStack native = process.native_stack(python);
            REQUIRE(native.frames.size() == 2);
            CHECK(native.frames == process.native_stack(other).frames);
            CHECK(native.frames[0]->address == 0x401000);
            CHECK_FALSE(native.frames[0]->is_caller);
            CHECK(native.frames[1]->is_caller);
            CHECK(native.frames[1]->module == "/nowhere/prog");
            CHECK(native.frames[1]->mapping.start == 0x400000);
            CHECK(process.mixed_stack(other).empty());
            CHECK(process.stack(other).frames == native.frames);
            const FrameStack mixed = process.mixed_stack(python);
            REQUIRE(mixed.frames.size() == 4);
            const Frame* runtime = attribute::innermost_runtime_frame(mixed);
            REQUIRE(runtime != nullptr);
            CHECK(runtime == mixed.frames[2]);
            CHECK(runtime->function == "read");
            CHECK(runtime->first_line == 10);
        });
    CHECK(processes == 2);
    CHECK(attribution.notes().empty());
}

TEST_CASE("a table has each frame and each name once", "[attribution]") {
    attribute::FrameTable table;
    const std::string name = "a name that is long enough to lie outside of its string";
    Frame frame;
    frame.function = name;
    frame.line = 3;
    const Frame* first = table.keep(frame);
    CHECK(first->function.data() != name.data());
    const std::string again = name;
    frame.function = again;
    CHECK(table.keep(frame) == first);
    CHECK(table.keep(again).data() == first->function.data());
    frame.line = 4;
    const Frame* second = table.keep(frame);
    CHECK(second != first);
    CHECK(second->function.data() == first->function.data());
    CHECK_FALSE(table.is_full());
}

TEST_CASE("a stack is cut to its innermost frame, and the innermost of a runtime's") {
    Frame native;
    Frame runtime;
    runtime.is_runtime = true;
    FrameStack stack{{&native, &native, &runtime, &runtime}, false};
    stack.cut();
    CHECK(stack.frames == std::vector<const Frame*>{&native, &runtime});
    stack = {{&runtime, &runtime, &native}, false};
    stack.cut();
    CHECK(stack.frames == std::vector<const Frame*>{&runtime});
}
