#include "runtime/cpython/observer.h"

#include "arch/cpu.h"
#include "runtime/cpython/containers.h"
#include "runtime/cpython/interpreter.h"
#include "runtime/cpython/memory.h"
#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

// A thread state, from the beginning of the end on.
bool is_finalizing(const Interpreter& python, runtime::InCode in_code) {
    if (python.finalizing == 0) return false;
    uint64_t thread = 0;
    if (in_code == runtime::InCode::yes) {
        thread = load<uint64_t>(python.finalizing);
    } else if (!guarded_read(python.finalizing, &thread)) {
        return false;
    }
    return thread != 0;
}

}  // namespace

void Observer::look_further(Arena& arena, const RecordSink& sink, const runtime::Write& write,
                            Located* located) {
    // The thread's own stack holds pointers to anything.
    constexpr uint64_t kNearStack = 1 << 20;
    const uint64_t stack = write.registers[trace::kStackPointer] - cpu::kRedZoneBytes;
    if (write.address - stack < kNearStack) return;
    const uint64_t key = uint64_t{write.site} + 1;
    auto* misses = misses_.find(key);
    if (misses == nullptr) misses = misses_.insert(arena, key, 0);
    if (misses == nullptr || misses->uses >= kMostMisses) return;
    const uint16_t flags = located->flags;
    if ((flags & trace::kPoolBlock) == 0) {
        *located = locate_around(arena, sink, &types_, write.address);
    }
    if (located->type == 0) {
        located->type = find_container(arena, sink, &types_, write.address, write.registers);
        if (located->type != 0) located->flags |= trace::kContainerItems;
    }
    located->flags |= flags;
    misses->uses = located->type == 0 ? misses->uses + 1 : 0;
}

runtime::Observation Observer::observe(Arena& arena, const RecordSink& sink,
                                       const runtime::Write& write, const runtime::Wanted& wanted) {
    runtime::Observation observation;
    const Interpreter& python = interpreter();
    if (python.layout == nullptr) {
        if (!said_problem_) write_problem(sink, python.problem);
        said_problem_ = true;
    } else {
        observation.stack =
            stacks_.capture(arena, sink, write.address, write.memory, wanted.frames);
    }
    Located object = locate(arena, sink, &types_, write.address, write.words, write.safe_from);
    if (python.layout != nullptr) {
        if (is_finalizing(python, write.memory.in_code)) object.flags |= trace::kRuntimeFinalizing;
        const bool is_frame = stacks_.holds_address();
        if (is_frame) object.flags |= trace::kRuntimeFrame;
        if (object.type == 0 && !is_frame && (object.flags & trace::kPoolHeader) == 0) {
            look_further(arena, sink, write, &object);
        }
        if (wanted.values) {
            values_.record(arena, sink, write.site, observation.stack, write.address, object);
        }
    }
    observation.type = object.type;
    observation.object_offset = object.offset;
    observation.flags = object.flags;
    return observation;
}

uint32_t Observer::count_frames(const runtime::Memory& memory, runtime::CountedFrame* frames,
                                uint32_t limit) {
    if (interpreter().layout == nullptr) return 0;
    return stacks_.capture_counted(memory, frames, limit);
}

}  // namespace cowscope::cpython
