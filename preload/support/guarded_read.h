// Reading memory through an address that may be stale or wrong: a bad address is `false`, never a
// fault. Async-signal-safe; about 0.3 us a call.
#pragma once

#include <sys/uio.h>

#include "support/syscall.h"

namespace cowscope {

// By process_vm_writev(2) on itself. Its opposite would pin the pages that are read, and of pages
// that a fork shares the kernel pins only a copy (linux/mm/gup.c, gup_must_unshare); this one pins
// where it writes to, and reads like any write(2).
inline bool guarded_read(const void* from, void* to, size_t bytes) {
    struct iovec local = {const_cast<void*>(from), bytes};
    struct iovec remote = {to, bytes};
    // The pid is asked anew: a cached one names the parent in a child that nobody announced.
    const long got = sys::syscall6(SYS_process_vm_writev, sys::getpid(), sys::word(&local), 1,
                                   sys::word(&remote), 1, 0);
    return got == static_cast<long>(bytes);
}

template <typename T>
inline bool guarded_read(uint64_t from, T* to) {
    return guarded_read(reinterpret_cast<const void*>(from), to, sizeof(T));
}

}  // namespace cowscope
