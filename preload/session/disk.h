// What a file system does with a block that is written again.
#pragma once

#include <sys/vfs.h>

#include "support/syscall.h"

namespace cowscope::session {

// File systems that write a block again where it is. (A file on XFS that somebody has cloned while
// it was written is the exception.)
inline bool writes_in_place(int fd) {
    struct statfs status;
    if (sys::failed(sys::syscall2(SYS_fstatfs, fd, sys::word(&status)))) return false;
    switch (static_cast<unsigned long>(status.f_type)) {
        case 0x01021994:  // tmpfs
        case 0x858458f6:  // ramfs
        case 0xef53:      // ext2, ext3, ext4
        case 0x58465342:  // XFS
            return true;
        default:
            return false;
    }
}

}  // namespace cowscope::session
