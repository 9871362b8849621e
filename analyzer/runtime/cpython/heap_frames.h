// The variables of the functions that a process is in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/cpython/heap_interpreter.h"
#include "runtime/cpython/heap_types.h"
#include "runtime/heap/process_memory.h"

namespace cowscope::cpython {

struct Variable {
    uint64_t globals = 0;  // the dict of the function's module
    std::string function;  // qualified where the version tells
    uint64_t name = 0;     // a str
    uint64_t value = 0;
};

// Of all threads, innermost frames first. The process goes on meanwhile: what is read may be torn.
std::vector<Variable> read_variables(const Interpreter& interpreter, Memory* memory, Types* types);

}  // namespace cowscope::cpython
