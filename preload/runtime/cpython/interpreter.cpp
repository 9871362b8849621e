#include "runtime/cpython/interpreter.h"

#include <cstring>

#include "runtime/cpython/module_name.h"
#include "support/guarded_read.h"
#include "support/symbol_lookup.h"

#include "support/poison.h"

namespace cowscope::cpython {

constinit Interpreter current_interpreter;

namespace {

enum Wanted : size_t {
    kTypeType,
    kCodeType,
    kFrameType,
    kStrType,
    kBytesType,
    kIntType,
    kSetType,
    kRuntime,
    kVersionNumber,
    kVersionText,
    kOwnThread,
    kUncheckedThread,
    kUncheckedThread313,
    kWantedCount,
};

// The interpreter's own variables, in memory of a module whose file may have been truncated since:
// 0 where there is nothing to read.
template <typename T>
T load(uint64_t address) {
    T value;
    return guarded_read(address, &value) ? value : T{};
}

// "3.6.15 (default, …" as PY_VERSION_HEX without the release level; 0 for anything else.
uint32_t parse_version(const char* text) {
    uint32_t version = 0;
    for (int part = 0; part < 3; ++part) {
        if (*text < '0' || *text > '9') return 0;
        uint32_t number = 0;
        while (*text >= '0' && *text <= '9' && number < 256) {
            number = number * 10 + static_cast<uint32_t>(*text++ - '0');
        }
        if (number > 255) return 0;
        version = version << 8 | number;
        if (*text == '.') ++text;
    }
    return version << 8;
}

uint32_t version_of(const Symbol (&symbols)[kWantedCount]) {
    // Py_Version stands there from 3.11 on.
    if (symbols[kVersionNumber].address != 0) {
        return static_cast<uint32_t>(load<unsigned long>(symbols[kVersionNumber].address));
    }
    // A function that is called needs its code.
    if (symbols[kVersionText].address == 0 || !is_word_readable(symbols[kVersionText].address)) {
        return 0;
    }
    const auto get_version = reinterpret_cast<const char* (*)()>(symbols[kVersionText].address);
    return parse_version(get_version());
}

const Layout* layout_of(uint32_t version) {
    for (const Layout& layout : kLayouts) {
        if (layout.version == version >> 16) return &layout;
    }
    return nullptr;
}

// Takes what the interpreter itself says about its layout. False where that cannot be.
bool take_stated(const DebugOffsets& at, uint64_t runtime, Layout* layout) {
    // An object, a thread state or a frame is no larger.
    constexpr uint64_t kLargest = 0x8000;
    bool plausible = true;
    const auto word = [&](uint64_t index) {
        const auto value = load<uint64_t>(runtime + index * sizeof(uint64_t));
        plausible = plausible && value < kLargest;
        return static_cast<uint16_t>(value);
    };
    layout->interpreter_bytes =
        static_cast<uint32_t>(load<uint64_t>(runtime + at.interpreter * sizeof(uint64_t)));
    layout->thread_bytes = word(at.thread);
    layout->thread_frame = word(at.thread + 4u);
    layout->thread_id = word(at.thread + 5u);
    layout->thread_chunk = word(at.thread + 7u);
    layout->frame_back = word(at.frame + 1u);
    layout->frame_code = word(at.frame + 2u);
    layout->frame_instruction = word(at.frame + 3u);
    layout->frame_owner = word(at.frame + 5u);
    layout->code_bytes = word(at.code);
    layout->code_filename = word(at.code + 1u);
    layout->code_name = word(at.code + 3u);
    layout->code_line_table = word(at.code + 4u);
    layout->code_first_line = word(at.code + 5u);
    layout->code_adaptive = word(at.code + 9u);
    return plausible && layout->thread_frame < layout->thread_bytes &&
           layout->thread_id < layout->thread_bytes && layout->code_adaptive < layout->code_bytes;
}

// Sets found->layout, or found->problem.
void choose_layout(Interpreter* found) {
    found->problem = trace::NoteCode::runtime_version_unknown;
    const Layout* known = layout_of(found->version);
    if (known == nullptr) return;
    found->problem = trace::NoteCode::runtime_layout_differs;
    if (found->own_thread == nullptr || found->code_type == 0 || found->str_type == 0 ||
        found->bytes_type == 0 || (known->frame_is_object && found->frame_type == 0)) {
        return;
    }
    found->stated = *known;
    for (const DebugOffsets& stated : kDebugOffsets) {
        if (stated.version != known->version) continue;
        const uint64_t runtime = found->runtime_start;
        if (runtime == 0 || found->runtime_bytes < 64 * sizeof(uint64_t)) return;
        const auto cookie = load<uint64_t>(runtime);
        if (std::memcmp(&cookie, kDebugCookie, sizeof(cookie)) != 0) return;
        if (load<uint64_t>(runtime + kDebugFreeThreadedWord * sizeof(uint64_t)) != 0) {
            found->problem = trace::NoteCode::runtime_free_threaded;
            return;
        }
        if (!take_stated(stated, runtime, &found->stated)) return;
        const auto finalizing = load<uint64_t>(runtime + kDebugFinalizingWord * sizeof(uint64_t));
        if (finalizing <= found->runtime_bytes - sizeof(uint64_t)) {
            found->finalizing = runtime + finalizing;
        }
    }
    // Where reference tracing (or the lack of the GIL) makes object headers larger, this fails.
    if (load<uint64_t>(found->code_type + kObType) != found->type_type) return;
    found->problem = {};
    found->layout = &found->stated;
}

}  // namespace

bool find_interpreter(runtime::Found* result) {
    Symbol type = {"PyType_Type"};
    find_symbols(&type, 1, may_hold_interpreter);
    if (type.address == 0) return false;
    Symbol symbols[kWantedCount] = {
        {"PyType_Type"},
        {"PyCode_Type"},
        {"PyFrame_Type"},
        {"PyUnicode_Type"},
        {"PyBytes_Type"},
        {"PyLong_Type"},
        {"PySet_Type"},
        {"_PyRuntime"},
        {"Py_Version"},
        {"Py_GetVersion"},
        {"PyGILState_GetThisThreadState"},
        {"_PyThreadState_UncheckedGet"},
        {"PyThreadState_GetUnchecked"},
    };
    find_symbols(symbols, kWantedCount, may_hold_interpreter);
    static_assert(sizeof(Interpreter) <= runtime::Found::kDetailBytes);
    auto* found = new (result->details) Interpreter;
    found->type_type = symbols[kTypeType].address;
    found->code_type = symbols[kCodeType].address;
    found->frame_type = symbols[kFrameType].address;
    found->str_type = symbols[kStrType].address;
    found->bytes_type = symbols[kBytesType].address;
    found->int_type = symbols[kIntType].address;
    found->set_type = symbols[kSetType].address;
    found->runtime_start = symbols[kRuntime].address;
    found->runtime_bytes = symbols[kRuntime].bytes;
    const uint64_t unchecked = symbols[kUncheckedThread313].address != 0
                                   ? symbols[kUncheckedThread313].address
                                   : symbols[kUncheckedThread].address;
    found->own_thread = reinterpret_cast<void* (*)()>(symbols[kOwnThread].address);
    found->unchecked_thread = reinterpret_cast<void* (*)()>(unchecked);
    found->version = version_of(symbols);
    choose_layout(found);
    result->presence.code = {symbols[kTypeType].module_start, symbols[kTypeType].module_end};
    result->presence.version = found->version;
    result->presence.has_frames = found->layout != nullptr;
    return true;
}

void set_interpreter(const runtime::Found* found) {
    if (found == nullptr) {
        current_interpreter = {};
        return;
    }
    std::memcpy(&current_interpreter, found->details, sizeof(current_interpreter));
    if (current_interpreter.layout != nullptr) {
        current_interpreter.layout = &current_interpreter.stated;
    }
}

void write_problem(const RecordSink& sink, trace::NoteCode problem) {
    auto* record = sink.begin<trace::NoteRecord>(trace::RecordType::note);
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->code = problem;
    record->value = static_cast<int32_t>(interpreter().version >> 16);
    record->address = 0;
    sink.commit();
}

}  // namespace cowscope::cpython
