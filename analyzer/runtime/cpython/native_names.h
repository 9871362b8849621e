// Names of CPython's functions that say what a write was for. They support what the address says;
// where a module has no symbols, it alone decides.
#pragma once

#include <string_view>

#include "runtime/runtime.h"

namespace cowscope::cpython {

// Its allocators, its free lists and the making of objects: "pymalloc_alloc", "PyObject_Malloc",
// "PyType_GenericAlloc".
bool names_object_allocator(std::string_view function);

// Changes to a container: "insertdict", "list_resize", "PyList_Append", "set_add_entry".
bool names_container(std::string_view function);

// "Py_FinalizeEx" takes the interpreter down.
runtime::FunctionRole role_of(std::string_view function);

}  // namespace cowscope::cpython
