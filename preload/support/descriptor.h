// File descriptors that the shim keeps while the host runs. They are close-on-exec and have high
// numbers, away from those that programs expect to get, and every later use first makes sure that
// the number still names our file: hosts close descriptors they do not know and reuse the number.
#pragma once

#include "support/syscall.h"

namespace cowscope {

// Moves FD up and returns its new number, or FD itself when there is no room higher up.
inline int move_descriptor_up(int fd) {
    // Below 1024, so that a host's select() and small descriptor tables are not affected.
    constexpr long kHighest = 1023;
    constexpr long kRoom = 64;
    struct rlimit limit;
    long top = kHighest;
    if (sys::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= kHighest) {
        top = static_cast<long>(limit.rlim_cur) - 1;
    }
    if (top <= kRoom) return fd;
    const int moved = sys::fcntl(fd, F_DUPFD_CLOEXEC, top - kRoom);
    if (moved < 0) return fd;
    sys::close(fd);
    return moved;
}

// Whether FD is open on the file that DEVICE and INODE name.
inline bool descriptor_names(int fd, dev_t device, ino_t inode) {
    struct stat status;
    return fd >= 0 && sys::fstat(fd, &status) == 0 && status.st_dev == device &&
           status.st_ino == inode;
}

}  // namespace cowscope
