#include "runtime/cpython/frames.h"

#include <pthread.h>

#include <cstring>

#include "format/runtime_format.h"
#include "runtime/cpython/interpreter.h"
#include "runtime/cpython/memory.h"
#include "support/hash.h"
#include "support/readable.h"

#include "support/poison.h"

namespace cowscope::cpython {

using runtime::CountedFrame;
using runtime::InCode;
using runtime::Memory;

namespace {

// Low bits of a tagged reference (3.14, _PyStackRef).
constexpr uint64_t kReferenceTags = 3;

uint64_t key_of(uint64_t code) {
    const CodeIdentity identity = identify_code(code);
    const uint64_t words[] = {code,
                              identity.name,
                              identity.line_table,
                              identity.file,
                              uint64_t{identity.first_line} << 32 | identity.version,
                              identity.name_hash,
                              identity.file_shape,
                              identity.file_hash};
    return hash_words(words, sizeof(words) / sizeof(words[0]));
}

// Whether the functions that name the thread state can be called.
bool may_call(InCode in_code) {
    if (in_code == InCode::yes) return true;
    const auto is_there = [](void* (*function)()) {
        return function == nullptr || is_word_readable(reinterpret_cast<uint64_t>(function));
    };
    return is_there(interpreter().own_thread) && is_there(interpreter().unchecked_thread);
}

}  // namespace

// The thread state, if it is this thread's: up to 3.11 the unchecked getter names the thread that
// holds the GIL.
bool StackTable::is_own_thread(uint64_t thread) {
    const Layout& layout = *interpreter().layout;
    return may_be_object(thread) && readable_.has(thread, layout.thread_bytes) &&
           load<uint64_t>(thread + layout.thread_id) == static_cast<uint64_t>(pthread_self());
}

uint64_t StackTable::own_thread(InCode in_code) {
    if (in_code == InCode::no || !may_call(in_code)) return 0;
    // From 3.12 on the unchecked one reads a thread-local variable and knows subinterpreters.
    constexpr uint16_t kThreadLocalSince = 0x030c;
    const Interpreter& python = interpreter();
    const bool unchecked_first =
        python.layout->version >= kThreadLocalSince && python.unchecked_thread != nullptr;
    if (unchecked_first) {
        const auto thread = reinterpret_cast<uint64_t>(python.unchecked_thread());
        if (is_own_thread(thread)) return thread;
    }
    const auto thread = reinterpret_cast<uint64_t>(python.own_thread());
    return is_own_thread(thread) ? thread : 0;
}

void StackTable::see_thread(Arena& arena, const RecordSink& sink, uint64_t thread) {
    if (threads_.find(thread) != nullptr) return;
    const Interpreter& python = interpreter();
    trace::RuntimeRecord* first = nullptr;
    trace::RuntimeThreadRecord* record;
    if (threads_.count() == 0) {
        sink.begin_two(trace::RecordType::runtime, &first, trace::RecordType::runtime_thread,
                       &record);
    } else {
        record = sink.begin<trace::RuntimeThreadRecord>(trace::RecordType::runtime_thread);
    }
    if (record == nullptr || threads_.insert(arena, thread, threads_.count()) == nullptr) return;
    if (first != nullptr) {
        first->version = python.version;
        first->pool_bytes = python.layout->pool_bytes;
        first->type_type = python.type_type;
        first->runtime_start = python.runtime_start;
        first->runtime_bytes = python.runtime_bytes;
        first->interpreter_start = load<uint64_t>(thread + kThreadInterpreter);
        first->interpreter_bytes = python.layout->interpreter_bytes;
    }
    record->address = thread;
    record->bytes = python.layout->thread_bytes;
    record->tid = static_cast<uint32_t>(sys::gettid());
    sink.commit();
}

bool StackTable::in_stack_chunk(uint64_t thread, uint64_t address) {
    const Layout& layout = *interpreter().layout;
    // 16 KiB (pystate.c, DATA_STACK_CHUNK_SIZE), more only for a frame that needs it.
    constexpr uint64_t kLargestChunk = 64 * 1024;
    if (layout.thread_chunk == kNone) return false;
    const auto chunk = load<uint64_t>(thread + layout.thread_chunk);
    return may_be_object(chunk) && address >= chunk && address - chunk < kLargestChunk &&
           readable_.has(chunk + kChunkSize, sizeof(uint64_t)) &&
           address - chunk < load<uint64_t>(chunk + kChunkSize);
}

uint64_t StackTable::find_innermost(uint64_t thread) {
    const Layout& layout = *interpreter().layout;
    auto frame = load<uint64_t>(thread + layout.thread_frame);
    if (layout.cframe_frame != kNone) {
        const uint64_t cframe = frame;
        // It lies on a stack of C's.
        if (!may_be_object(cframe) || !is_there(cframe + layout.cframe_frame, sizeof(uint64_t))) {
            return 0;
        }
        frame = load<uint64_t>(cframe + layout.cframe_frame);
    }
    return frame;
}

// Of memory that libc may take away without anybody being told, such as the stack of a coroutine:
// at most a page.
bool StackTable::is_there(uint64_t address, uint64_t bytes) const {
    return (address >= stack_.start && address + bytes <= stack_.end) ||
           is_readable(address, bytes);
}

// Whether its memory is there. It may be one of C's: only pages of Python's frames are remembered.
bool StackTable::has_frame(uint64_t frame) {
    const uint64_t bytes = interpreter().layout->frame_bytes;
    return may_be_object(frame) && (readable_.knows(frame, bytes) || is_there(frame, bytes));
}

// Whether it is a code object, and its memory and its strs' are there.
bool StackTable::is_code(uint64_t code) {
    const Layout& layout = *interpreter().layout;
    if (!may_be_object(code) || !readable_.has(code, layout.code_bytes)) return false;
    if (load<uint64_t>(code + kObType) != interpreter().code_type) return false;
    const auto name = load<uint64_t>(code + layout.code_name);
    const auto file = load<uint64_t>(code + layout.code_filename);
    if (!may_be_object(name) || !readable_.has(name, layout.ascii_bytes)) return false;
    if (!may_be_object(file) || !readable_.has(file, layout.ascii_bytes)) return false;
    const FileText text(file);
    return text.bytes == 0 || readable_.has(text.from, text.bytes);
}

int32_t StackTable::instruction_offset(uint64_t frame, uint64_t code) const {
    const Layout& layout = *interpreter().layout;
    const uint64_t field = frame + layout.frame_instruction;
    switch (layout.instruction_field) {
        case InstructionField::bytes:
            return load<int32_t>(field);
        case InstructionField::units:
            return load<int32_t>(field) * 2;
        case InstructionField::ptr:
            break;
    }
    return static_cast<int32_t>(load<uint64_t>(field) - (code + layout.code_adaptive));
}

template <typename Take>
bool StackTable::walk(uint64_t innermost, uint64_t address, uint32_t limit, Take&& take) {
    const Interpreter& python = interpreter();
    const Layout& layout = *python.layout;
    SameCode same;
    depth_ = 0;
    truncated_ = false;
    // Whether C called it is seen at the next step.
    Frame met = {};
    uint64_t frame = innermost;
    for (uint32_t step = 0; frame != 0; ++step) {
        if (step == kMostSteps || (met.code != 0 && depth_ + 1 == limit)) {
            truncated_ = true;
            break;
        }
        const LastFrames::Frame* known = last_.find(step, frame);
        // Those of C lie on its stack.
        if ((known == nullptr || known->code == 0) && !has_frame(frame)) return false;
        if (layout.frame_is_object) {
            if (load<uint64_t>(frame + kObType) != python.frame_type) return false;
            // Locals and the value stack follow.
            const uint64_t bytes =
                layout.frame_bytes + load<uint64_t>(frame + kObSize) * sizeof(uint64_t);
            if (address - frame < bytes) holds_address_ = true;
        }
        const bool is_c = layout.frame_owner != kNone &&
                          load<uint8_t>(frame + layout.frame_owner) >= layout.first_c_owner;
        if (is_c) {
            met.is_entered_from_c = true;
            if (known == nullptr) last_.set(step, {frame, 0, {}, 0});
        } else {
            if (met.code != 0 && !take(met)) return false;
            const uint64_t code = load<uint64_t>(frame + layout.frame_code) & ~kReferenceTags;
            if (known != nullptr && !known->runs(code, &same)) known = nullptr;
            if (known == nullptr) {
                if (!is_code(code)) return false;
                readable_.note(frame, layout.frame_bytes);
            }
            const bool is_entered =
                layout.frame_is_object || (layout.frame_is_entry != kNone &&
                                           load<uint8_t>(frame + layout.frame_is_entry) != 0);
            met = {step, frame, code, instruction_offset(frame, code), is_entered, known};
        }
        frame = load<uint64_t>(frame + layout.frame_back);
    }
    return met.code == 0 || take(met);
}

uint32_t StackTable::learn(Arena& arena, const RecordSink& sink, const Frame& frame) {
    const uint32_t id = codes_.find(arena, sink, frame.code);
    if (id != CodeTable::kNoCode) {
        last_.set(frame.step, {frame.address, frame.code, identify_code(frame.code), id});
    }
    return id;
}

uint32_t StackTable::intern(Arena& arena, const RecordSink& sink) {
    const uint64_t key = hash_words(frames_, depth_);
    if (const auto* known = stacks_.find(key)) return known->value;
    const uint32_t id = stacks_.count();
    static_assert(sizeof(frames_[0]) == sizeof(trace::RuntimeFrame));
    const size_t bytes = depth_ * sizeof(trace::RuntimeFrame);
    auto* record = sink.begin<trace::RuntimeStackRecord>(trace::RecordType::runtime_stack, bytes);
    if (record == nullptr) return trace::kNoRuntimeStack;
    record->header.flags = truncated_ ? trace::kStackTruncated : 0;
    record->id = id;
    record->depth = depth_;
    std::memcpy(record + 1, frames_, bytes);
    // Before it is committed: an id that is not remembered would be given out twice.
    auto* entry = stacks_.insert(arena, key, id);
    if (entry == nullptr) return trace::kNoRuntimeStack;
    if (sink.commit()) return id;
    stacks_.forget(entry);
    return trace::kNoRuntimeStack;
}

void StackTable::begin(const Memory& memory) {
    readable_.begin(memory.version);
    last_.begin(memory.version);
    stack_ = memory.stack;
}

uint32_t StackTable::capture(Arena& arena, const RecordSink& sink, uint64_t address,
                             const Memory& memory, uint32_t limit) {
    holds_address_ = false;
    if (gave_up_) return trace::kNoRuntimeStack;
    begin(memory);
    const uint64_t thread = own_thread(memory.in_code);
    if (thread == 0) return trace::kNoRuntimeStack;
    see_thread(arena, sink, thread);
    holds_address_ = in_stack_chunk(thread, address);
    const uint64_t innermost = find_innermost(thread);
    if (innermost == 0) return trace::kNoRuntimeStack;
    const uint32_t last_depth = interned_depth_;
    interned_depth_ = 0;
    is_another_ = false;
    const auto take = [&](const Frame& frame) {
        const uint32_t id =
            frame.known != nullptr ? frame.known->code_id : learn(arena, sink, frame);
        if (id == CodeTable::kNoCode) return false;
        add(uint64_t{static_cast<uint32_t>(frame.instruction_offset)} << 32 | id |
            (frame.is_entered_from_c ? trace::kEnteredFromC : 0));
        return true;
    };
    if (!walk(innermost, address, limit < kMaxDepth ? limit : kMaxDepth, take)) {
        // Frames that are being set up or taken down are no stack for a moment.
        if (!worked_ && ++failures_ == kMostFailures) {
            gave_up_ = true;
            write_problem(sink, trace::NoteCode::runtime_layout_differs);
        }
        return trace::kNoRuntimeStack;
    }
    if (depth_ == 0) return trace::kNoRuntimeStack;
    worked_ = true;
    if (is_another_ || depth_ != last_depth) interned_id_ = intern(arena, sink);
    if (interned_id_ != trace::kNoRuntimeStack) interned_depth_ = depth_;
    return interned_id_;
}

uint32_t StackTable::capture_counted(const Memory& memory, CountedFrame* frames, uint32_t limit) {
    begin(memory);
    const uint64_t thread = own_thread(memory.in_code);
    const uint64_t innermost = thread == 0 ? 0 : find_innermost(thread);
    if (innermost == 0) return 0;
    interned_depth_ = 0;
    const auto take = [&](const Frame& frame) {
        frames[depth_] = {frame.code, key_of(frame.code), frame.instruction_offset};
        add(0);
        return true;
    };
    return walk(innermost, 0, limit, take) ? depth_ : 0;
}

}  // namespace cowscope::cpython
