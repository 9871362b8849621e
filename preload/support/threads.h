// Whether there is any other thread that could change what is being looked at. Async-signal-safe.
#pragma once

// libc's own word (sys/single_threaded.h, glibc 2.32): not zero while it knows of one thread alone.
// Weak, because older ones have none.
extern "C" char __libc_single_threaded __attribute__((weak));

namespace cowscope {

// False where it is not known.
inline bool is_only_thread() {
    return &__libc_single_threaded != nullptr && __libc_single_threaded != 0;
}

}  // namespace cowscope
