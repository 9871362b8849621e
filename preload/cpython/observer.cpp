#include "cpython/observer.h"

#include "cpython/interpreter.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

void write_problem(segment::Writer* writer) {
    auto* record = writer->begin<trace::NoteRecord>(trace::RecordType::note);
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->code = interpreter().problem;
    record->value = static_cast<int32_t>(interpreter().version >> 16);
    record->address = 0;
    writer->commit();
}

}  // namespace

Observation Observer::observe(Arena& arena, segment::Writer* writer, uint64_t address,
                              const uint64_t (&words)[2], uint32_t limit) {
    Observation observation;
    const Interpreter& python = interpreter();
    if (python.type_type == 0) return observation;
    if (python.layout != nullptr) {
        observation.python_stack = stacks_.capture(arena, writer, address, limit);
    } else if (!said_problem_) {
        said_problem_ = true;
        write_problem(writer);
    }
    observation.object = locate(arena, writer, &types_, address, words);
    if (python.layout != nullptr && stacks_.holds_address()) {
        observation.object.flags |= trace::kPythonFrame;
    }
    return observation;
}

void Observer::record_value(Arena& arena, segment::Writer* writer, uint32_t site, uint64_t address,
                            const Observation& observation) {
    if (interpreter().layout == nullptr || observation.object.type == 0) return;
    values_.record(arena, writer, site, observation.python_stack, address, observation.object);
}

}  // namespace cowscope::cpython
