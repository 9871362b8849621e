// The variables of the functions that a process is in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "python_heap/interpreter.h"
#include "python_heap/memory.h"
#include "python_heap/types.h"

namespace cowscope::python_heap {

struct Variable {
    uint64_t globals = 0;  // the dict of the function's module
    std::string function;  // qualified where the version tells
    uint64_t name = 0;     // a str
    uint64_t value = 0;
};

// Of all threads, innermost frames first. The process goes on meanwhile: what is read may be torn.
std::vector<Variable> read_variables(const Interpreter& interpreter, Memory* memory, Types* types);

}  // namespace cowscope::python_heap
