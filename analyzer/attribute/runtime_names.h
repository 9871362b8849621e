// Names of native functions that say what a write of CPython's or libc's was for. They support
// what the address says; where a module has no symbols, it alone decides.
#pragma once

#include <string_view>

namespace cowscope::attribute {

// libc's allocator: "_int_malloc", "free".
bool names_libc_allocator(std::string_view function);

// CPython's allocators, its free lists and the making of objects: "pymalloc_alloc",
// "PyObject_Malloc", "PyType_GenericAlloc".
bool names_object_allocator(std::string_view function);

// Changes to a container: "insertdict", "list_resize", "PyList_Append", "set_add_entry".
bool names_container(std::string_view function);

// perl's copies and ends of strings that several scalars share: "Perl_sv_setsv_flags".
bool names_shared_string(std::string_view function);

// PHP's allocator: "_efree", "_emalloc_56", "zend_mm_alloc_int".
bool names_php_allocator(std::string_view function);

// CPython being taken down: "Py_FinalizeEx".
bool names_finalization(std::string_view function);

// The loop that runs Python frames.
bool names_interpreter_loop(std::string_view function);

}  // namespace cowscope::attribute
