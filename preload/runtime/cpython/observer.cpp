#include "runtime/cpython/observer.h"

#include "runtime/cpython/containers.h"
#include "runtime/cpython/interpreter.h"
#include "runtime/cpython/memory.h"
#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

void write_problem(session::Writer* writer) {
    auto* record = writer->begin<trace::NoteRecord>(trace::RecordType::note);
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->code = interpreter().problem;
    record->value = static_cast<int32_t>(interpreter().version >> 16);
    record->address = 0;
    writer->commit();
}

// A thread state, from the beginning of the end on.
bool is_finalizing(const Interpreter& python, InPython in_python) {
    if (python.finalizing == 0) return false;
    uint64_t thread = 0;
    if (in_python == InPython::yes) {
        thread = load<uint64_t>(python.finalizing);
    } else if (!guarded_read(python.finalizing, &thread)) {
        return false;
    }
    return thread != 0;
}

}  // namespace

void Observer::look_further(Arena& arena, session::Writer* writer, const Write& write,
                            Located* located) {
    // The thread's own stack holds pointers to anything.
    constexpr size_t kStackPointer = 4;
    constexpr uint64_t kNearStack = 1 << 20;
    constexpr uint64_t kRedZone = 128;  // System V ABI, AMD64 supplement, 3.2.2
    if (write.address - (write.registers[kStackPointer] - kRedZone) < kNearStack) return;
    const uint64_t key = uint64_t{write.site} + 1;
    auto* misses = misses_.find(key);
    if (misses == nullptr) misses = misses_.insert(arena, key, 0);
    if (misses == nullptr || misses->uses >= kMostMisses) return;
    const uint16_t flags = located->flags;
    if ((flags & trace::kPoolBlock) == 0) {
        *located = locate_around(arena, writer, &types_, write.address);
    }
    if (located->type == 0) {
        located->type = find_container(arena, writer, &types_, write.address, write.registers);
        if (located->type != 0) located->flags |= trace::kContainerItems;
    }
    located->flags |= flags;
    misses->uses = located->type == 0 ? misses->uses + 1 : 0;
}

Observation Observer::observe(Arena& arena, session::Writer* writer, const Write& write,
                              uint32_t limit) {
    Observation observation;
    const Interpreter& python = interpreter();
    if (python.type_type == 0) return observation;
    if (python.layout == nullptr) {
        if (!said_problem_) write_problem(writer);
        said_problem_ = true;
    } else {
        observation.python_stack =
            stacks_.capture(arena, writer, write.address, write.memory, limit);
    }
    Located& object = observation.object;
    object = locate(arena, writer, &types_, write.address, write.words, write.stays_from);
    if (python.layout == nullptr) return observation;
    if (is_finalizing(python, write.memory.in_python)) object.flags |= trace::kPythonFinalizing;
    const bool is_frame = stacks_.holds_address();
    if (is_frame) object.flags |= trace::kPythonFrame;
    if (object.type == 0 && !is_frame && (object.flags & trace::kPoolHeader) == 0) {
        look_further(arena, writer, write, &object);
    }
    return observation;
}

uint32_t Observer::capture_counted(const Memory& memory, CountedFrame* frames, uint32_t limit) {
    if (interpreter().layout == nullptr) return 0;
    return stacks_.capture_counted(memory, frames, limit);
}

void Observer::record_value(Arena& arena, session::Writer* writer, const Write& write,
                            const Observation& observation) {
    if (interpreter().layout == nullptr || observation.object.facts == nullptr) return;
    values_.record(arena, writer, write.site, observation.python_stack, write.address,
                   observation.object);
}

}  // namespace cowscope::cpython
