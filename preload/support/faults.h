// The kernel's count of page faults.
#pragma once

#include <sys/resource.h>

#include "support/syscall.h"

namespace cowscope {

// Of this process so far, those that the kernel took on its behalf included (getrusage(2)); 0 where
// it cannot be asked. Async-signal-safe.
inline uint64_t all_faults() {
    struct rusage usage;
    if (sys::syscall2(SYS_getrusage, RUSAGE_SELF, sys::word(&usage)) != 0) return 0;
    return static_cast<uint64_t>(usage.ru_minflt) + static_cast<uint64_t>(usage.ru_majflt);
}

}  // namespace cowscope
