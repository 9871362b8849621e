// Through which variables a program reaches its objects: a breadth-first walk over the objects of a
// CPython process, from the dicts of its modules, read from outside while the process runs.
//
// The first way to an object, which is a shortest one, gives it its owner; the way from `__main__`
// comes first. A class or function belongs to the module that defines it.
//
// The process may change what is being read: every address is checked before it is believed, and a
// wrong one costs an owner, nothing else.
#pragma once

#include "runtime/cpython/heap_interpreter.h"
#include "runtime/heap/heap.h"

namespace cowscope::cpython {

runtime::WalkResult walk_owners(const Interpreter& interpreter, Memory* memory,
                                const runtime::WalkLimits& limits);

}  // namespace cowscope::cpython
