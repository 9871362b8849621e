// Paths of a host's that lead to a descriptor of the shim's, as /proc/self/fd/N does.
#pragma once

#include <fcntl.h>

#include "hooks/descriptors/own_descriptors.h"

namespace cowscope::hooks {

// A path to what is not open in its place: what is said of that is what would be said of any.
const char* path_without_own(int folder, const char* path);

// The path to call libc's function with. `path` may be anything at all. About 0.3 us in a process
// that has forked.
inline const char* visible_path(int folder, const char* path) {
    return may_have_own_descriptors() ? path_without_own(folder, path) : path;
}
inline const char* visible_path(const char* path) {
    return visible_path(AT_FDCWD, path);
}

// For calls that only look, and that programs make again and again: call(path) comes first, and is
// made again for another path where this one leads to ours. A path that was found can be read, and
// most that is not found is not there at all, so that there is little to do behind it.
// Returns that one, or this.
const char* path_after_look(int folder, const char* path, bool is_found);

template <typename Call>
auto look(int folder, const char* path, const Call& call) -> decltype(call(path)) {
    const auto result = call(path);
    if (!may_have_own_descriptors()) return result;
    const char* const visible = path_after_look(folder, path, result >= 0);
    return visible == path ? result : call(visible);
}

}  // namespace cowscope::hooks
