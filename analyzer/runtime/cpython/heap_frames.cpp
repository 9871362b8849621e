#include "runtime/cpython/heap_frames.h"

#include <algorithm>

namespace cowscope::cpython {

namespace {

constexpr unsigned kMostThreads = 64;
constexpr unsigned kMostFrames = 200;
constexpr uint64_t kMostVariables = 1000;
constexpr size_t kLongestFunction = 100;

class Reader {
  public:
    Reader(const HeapLayout& layout, Memory* memory, Types* types)
        : layout_(layout), memory_(*memory), types_(*types) {}

    std::vector<Variable> read(uint64_t interpreter) {
        uint64_t thread = memory_.word(interpreter + layout_.threads_head);
        for (unsigned i = 0; thread != 0 && i < kMostThreads; ++i) {
            read_thread(thread);
            thread = memory_.word(thread + kThreadNext);
        }
        return std::move(variables_);
    }

  private:
    uint64_t untagged(uint64_t word) const {
        return layout_.version >= kFirstWithTaggedFrames ? word & ~uint64_t{3} : word;
    }

    void read_thread(uint64_t thread) {
        uint64_t frame = memory_.word(thread + layout_.thread_frame);
        if (layout_.cframe_frame != kNone && frame != 0) {
            frame = memory_.word(frame + layout_.cframe_frame);
        }
        for (unsigned i = 0; frame != 0 && i < kMostFrames; ++i) {
            read_frame(frame);
            frame = memory_.word(frame + layout_.frame_back);
        }
    }

    void read_frame(uint64_t frame) {
        const uint64_t code = untagged(memory_.word(frame + layout_.frame_code));
        const TypeInfo* type = types_.type_of(code);
        // Frames of the interpreter's own have none.
        if (type == nullptr || type->name != "code") return;
        Variable variable;
        variable.globals = memory_.word(frame + layout_.frame_globals);
        variable.function = types_.text(memory_.word(code + layout_.code_name), kLongestFunction);
        if (variable.function.empty()) return;
        uint64_t at = frame + layout_.frame_variables;
        for (const uint16_t names_offset :
             {layout_.code_names, layout_.code_cell_names, layout_.code_free_names}) {
            if (names_offset == kNone) continue;
            const uint64_t names = memory_.word(code + names_offset);
            const TypeInfo* names_type = types_.type_of(names);
            if (names_type == nullptr || names_type->kind != Kind::tuple) return;
            const uint64_t count = std::min(memory_.word(names + kObSize), kMostVariables);
            for (uint64_t i = 0; i < count; ++i, at += kWordBytes) {
                variable.name = memory_.word(names + layout_.tuple_items + i * kWordBytes);
                variable.value = untagged(memory_.word(at));
                if (variable.value != 0) variables_.push_back(variable);
            }
        }
    }

    const HeapLayout& layout_;
    Memory& memory_;
    Types& types_;
    std::vector<Variable> variables_;
};

}  // namespace

std::vector<Variable> read_variables(const Interpreter& interpreter, Memory* memory, Types* types) {
    return Reader(*interpreter.layout, memory, types).read(interpreter.state);
}

}  // namespace cowscope::cpython
