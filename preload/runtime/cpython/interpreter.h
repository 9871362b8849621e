// The CPython interpreter among this process's modules, if there is one: linked in, in a shared
// library, or loaded later (embedded).
#pragma once

#include "format/trace_format.h"
#include "runtime/cpython/layouts.h"

namespace cowscope::cpython {

struct Interpreter {
    // PyType_Type; 0 without an interpreter. Types are told by it in every version.
    uint64_t type_type = 0;
    // Of the module that it is in: code that runs Python is there.
    uint64_t module_start = 0;
    uint64_t module_end = 0;
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

// Not async-signal-safe: takes a lock of the loader's for a moment, and calls Py_GetVersion where
// the version is not told otherwise (up to 3.10).
void look_for_interpreter(Interpreter* found);

// The one that counts. Callers of set_interpreter() hold the process's lock, or run before there
// is anything to watch.
extern Interpreter current_interpreter;
inline const Interpreter& interpreter() {
    return current_interpreter;
}
void set_interpreter(const Interpreter& found);

}  // namespace cowscope::cpython
