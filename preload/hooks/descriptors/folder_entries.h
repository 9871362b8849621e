// What a system call has listed of a folder, without the shim's descriptors.
#pragma once

#include <sys/types.h>

namespace cowscope::hooks {

// As getdents(2) or getdents64(2) gives them.
enum class EntryKind { getdents, getdents64 };

// Takes the shim's out of `bytes` of entries. Returns the bytes that are left.
ssize_t remove_hidden(int fd, char* entries, ssize_t bytes, EntryKind kind);

}  // namespace cowscope::hooks
