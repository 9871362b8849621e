// How much address space this process has, as RLIMIT_AS counts it.
#pragma once

#include "arch/cpu.h"
#include "support/syscall.h"

namespace cowscope::sys {

// 0 where it is not known.
inline size_t address_space_bytes() {
    // The first number of /proc/PID/statm, in pages (proc(5)).
    const int fd = open("/proc/thread-self/statm", O_RDONLY);
    if (fd < 0) return 0;
    char text[32];
    const long got = read(fd, text, sizeof(text));
    close(fd);
    size_t pages = 0;
    for (long i = 0; i < got && text[i] >= '0' && text[i] <= '9'; ++i) {
        pages = pages * 10 + static_cast<size_t>(text[i] - '0');
    }
    return pages * cpu::kPageBytes;
}

}  // namespace cowscope::sys
