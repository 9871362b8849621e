// The folders of /proc that list this process's descriptors (/proc/self/fd, /proc/PID/fdinfo, those
// of its threads, /dev/fd), and the names in them that are the shim's. Async-signal-safe.
#pragma once

#include <cstddef>

namespace cowscope::hooks {

// Of another process it is found by chance that one of its numbers is the shim's here: the link
// behind the descriptor says whose folder it is.
bool is_own_folder(int fd);
// The same for one that is named by `length` characters of a path from `folder` on; of the current
// one for none.
bool is_own_folder(int folder, const char* path, size_t length);
// By the path alone, which ends there.
bool is_called_own_folder(const char* path, size_t length);

// Whether a name is that of a descriptor of the shim's: `length` characters.
bool names_own_descriptor(const char* name, size_t length);
// For a path that leads to one, or through one: the same of one that is not open. All of it can be
// read.
const char* without_own_descriptor(int folder, const char* path);
inline bool leads_to_own_descriptor(int folder, const char* path) {
    return without_own_descriptor(folder, path) != path;
}

}  // namespace cowscope::hooks
