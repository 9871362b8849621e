// In which modules of a process an interpreter may be, by the names of their files.
#pragma once

#include <cstring>

namespace cowscope::cpython {

// "" is the main program.
inline bool may_hold_interpreter(const char* path) {
    if (path == nullptr || *path == '\0') return true;
    const char* slash = std::strrchr(path, '/');
    const char* name = slash == nullptr ? path : slash + 1;
    // Extension modules name the interpreter that they are for
    // ("x.cpython-311-x86_64-linux-gnu.so").
    if (std::strstr(name, ".cpython-") != nullptr) return false;
    // mod_wsgi may have the interpreter linked in. What has no name of a library's was loaded
    // through a descriptor, or from memory.
    return std::strstr(name, "python") != nullptr || std::strstr(name, "wsgi") != nullptr ||
           std::strstr(name, ".so") == nullptr;
}

}  // namespace cowscope::cpython
