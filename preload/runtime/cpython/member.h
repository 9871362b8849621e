// CPython as one of the language runtimes (runtime/find.cpp).
//
// What it adds to the rules of the handler (witness/handler.h):
//   Reads    not by guarded_read() are
//              - the header of a pool of CPython's allocator in the mapping that the program has
//                just faulted in, whose page is asked for (objects.cpp),
//              - what the running frames of this very thread keep alive, the pages of which are
//                asked for while memory may have gone (runtime::Memory::version).
//   Calls    PyGILState_GetThisThreadState and PyThreadState_GetUnchecked (3.12 and older: of
//            another name), which read one variable of the thread's each (frames.cpp). In a
//            libpython of 3.12 and later that was loaded by dlopen(), in a thread that has never
//            been Python's, glibc may allocate that variable: this one call is not safe.
#pragma once

#include "runtime/interface.h"

namespace cowscope::cpython {

extern const runtime::Runtime kRuntime;

}  // namespace cowscope::cpython
