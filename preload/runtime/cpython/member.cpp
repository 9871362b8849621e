#include "runtime/cpython/member.h"

#include "runtime/cpython/interpreter.h"
#include "runtime/cpython/observer.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

Observer& of(void* state) {
    return *static_cast<Observer*>(state);
}
const Observer& of(const void* state) {
    return *static_cast<const Observer*>(state);
}

}  // namespace

const runtime::Runtime kRuntime = {
    .find = find_interpreter,
    .set = set_interpreter,
    .create = [](Arena& arena) -> void* { return arena.create_object<Observer>(); },
    .observe =
        [](void* state, Arena& arena, const RecordSink& sink, const runtime::Write& write,
           const runtime::Wanted& wanted) { return of(state).observe(arena, sink, write, wanted); },
    .count_frames = [](void* state, const runtime::Memory& memory, runtime::CountedFrame* frames,
                       uint32_t limit) { return of(state).count_frames(memory, frames, limit); },
    .read_code =
        [](void* state, uint64_t code, uint64_t most_line_bytes, runtime::CodeText* text) {
            CodeReader& reader = of(state).code_reader();
            text->record_bytes = reader.read(code, most_line_bytes);
            if (text->record_bytes == 0) return false;
            text->key = reader.text_key();
            return true;
        },
    .write_code =
        [](const void* state, trace::RuntimeCodeRecord* record) {
            return of(state).code_reader().fill(record);
        },
    .forget_modules = [](void* state) { of(state).forget_modules(); },
};

}  // namespace cowscope::cpython
