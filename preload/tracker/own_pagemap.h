// This process's /proc/self/pagemap, so that it may stay open when the program gives up rights.
//
// Who is no longer allowed to open it (a server that has become another user is "not dumpable", and
// the file is root's) may still use what was opened before. But the file goes on showing what its
// opener was allowed to see, physical page numbers to CAP_SYS_ADMIN (fs/proc/task_mmu.c,
// pagemap_read(): file_ns_capable()). So it is opened without that capability, which this thread
// lays down for the time of the call. Async-signal-safe.
#pragma once

#include <linux/capability.h>

#include "support/syscall.h"

namespace cowscope::tracker {

class WithoutAdmin {
  public:
    WithoutAdmin() {
        if (sys::syscall2(SYS_capget, sys::word(&header_), sys::word(sets_)) != 0) return;
        constexpr uint32_t kAdmin = uint32_t{1} << CAP_SYS_ADMIN;
        if ((sets_[0].effective & kAdmin) == 0) return;
        sets_[0].effective &= ~kAdmin;
        is_laid_down_ = sys::syscall2(SYS_capset, sys::word(&header_), sys::word(sets_)) == 0;
        sets_[0].effective |= kAdmin;
    }
    ~WithoutAdmin() {
        if (is_laid_down_) sys::syscall2(SYS_capset, sys::word(&header_), sys::word(sets_));
    }
    WithoutAdmin(const WithoutAdmin&) = delete;
    WithoutAdmin& operator=(const WithoutAdmin&) = delete;

  private:
    __user_cap_header_struct header_ = {_LINUX_CAPABILITY_VERSION_3, 0};  // of this thread
    __user_cap_data_struct sets_[_LINUX_CAPABILITY_U32S_3] = {};
    bool is_laid_down_ = false;
};

// A descriptor or -errno.
inline int open_own_pagemap() {
    const WithoutAdmin scope;
    return sys::open("/proc/thread-self/pagemap", O_RDONLY);
}

}  // namespace cowscope::tracker
