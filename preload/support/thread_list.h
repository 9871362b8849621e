// The threads of a process. Async-signal-safe.
#pragma once

#include <cstdint>

#include "support/syscall.h"
#include "support/text.h"

namespace cowscope {

// getdents64(2); libc has no type of that name without opendir.
struct FolderEntry {
    uint64_t inode;
    int64_t offset;
    uint16_t bytes;
    uint8_t type;
    char name[1];
};

// Calls sink(tid) for every thread in `folder`, "/proc/PID/task".
template <typename Sink>
void for_each_thread(const char* folder, Sink&& sink) {
    const int fd = sys::open(folder, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return;
    alignas(FolderEntry) char buffer[2048];
    for (;;) {
        const long got = sys::syscall3(SYS_getdents64, fd, sys::word(buffer), sizeof(buffer));
        if (got <= 0) break;
        for (long at = 0; at < got;) {
            const auto* entry = reinterpret_cast<const FolderEntry*>(buffer + at);
            uint64_t tid = 0;
            if (parse_decimal(entry->name, INT32_MAX, &tid)) sink(static_cast<pid_t>(tid));
            at += entry->bytes;
        }
    }
    sys::close(fd);
}

}  // namespace cowscope
