// The CPython interpreter among this process's modules, if there is one: linked in, in a shared
// library, or loaded later (embedded).
#pragma once

#include "format/cpython_layouts.h"
#include "runtime/interface.h"

namespace cowscope::cpython {

struct Interpreter {
    // PyType_Type; 0 without an interpreter. Types are told by it in every version.
    uint64_t type_type = 0;
    // Frames and objects are looked at only where this is not null.
    const Layout* layout = nullptr;
    Layout stated = {};            // from 3.13 on: the row with what the interpreter says
    uint32_t version = 0;          // PY_VERSION_HEX
    trace::NoteCode problem = {};  // why `layout` is null
    uint64_t code_type = 0;
    uint64_t frame_type = 0;
    uint64_t str_type = 0;
    uint64_t bytes_type = 0;
    uint64_t int_type = 0;
    uint64_t set_type = 0;
    uint64_t runtime_start = 0;  // _PyRuntime
    uint64_t runtime_bytes = 0;
    uint64_t finalizing = 0;          // of the word _PyRuntime.finalizing; 0 where it is not known
    void* (*own_thread)() = nullptr;  // PyGILState_GetThisThreadState
    void* (*unchecked_thread)() = nullptr;  // _PyThreadState_UncheckedGet and its successor
};

// Runtime::find() and Runtime::set() of runtime/interface.h. The first calls Py_GetVersion where
// the version is not told otherwise (up to 3.10).
bool find_interpreter(runtime::Found* found);
void set_interpreter(const runtime::Found* found);

// The one that counts.
extern Interpreter current_interpreter;
inline const Interpreter& interpreter() {
    return current_interpreter;
}

// A note of why frames and objects are not looked at.
void write_problem(const RecordSink& sink, trace::NoteCode problem);

}  // namespace cowscope::cpython
