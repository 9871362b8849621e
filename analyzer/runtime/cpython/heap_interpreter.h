// Finds the CPython interpreter in another process, from outside.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "runtime/cpython/heap_layout.h"
#include "runtime/heap/heap.h"
#include "trace/mappings.h"

namespace cowscope::cpython {

using runtime::Memory;
using runtime::OpenMapped;

struct Interpreter {
    const HeapLayout* layout = nullptr;
    uint64_t state = 0;       // PyInterpreterState
    uint64_t modules = 0;     // the dict sys.modules
    std::string module_file;  // the mapped file that holds the interpreter
};

struct InterpreterSearch {
    std::optional<Interpreter> found;
    // Why none was found in a process that has one; "" where there is no sign of one.
    std::string reason;
};

// What is found was checked: sys.modules is a dict with modules named 'sys' and 'builtins'.
InterpreterSearch find_interpreter(const trace::Mappings& mappings, const OpenMapped& open_mapped,
                                   Memory* memory, const std::function<bool()>& must_stop = {});

}  // namespace cowscope::cpython
