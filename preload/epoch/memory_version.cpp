// Whether memory may have been taken away since it was looked at last.

#include "epoch/epoch.h"
#include "support/threads.h"

#include "support/poison.h"

// libc's own word: the break as its brk(2) calls have left it, those of malloc's among them
// (sysdeps/unix/sysv/linux/brk.c in glibc, and since 2.2.5 in its interface).
extern "C" void* __curbrk __attribute__((weak));

namespace cowscope::epoch {

// What libc takes away without coming by here: the end of the heap, by the break; the heaps of
// other threads, which there are none of without them; and large blocks, which nobody asks this
// about: what may be a stack is asked for each time (runtime/cpython/frames.cpp).
uint64_t memory_version() {
    const uint64_t now =
        &__curbrk != nullptr ? reinterpret_cast<uint64_t>(__curbrk) : sys::current_break();
    if (now != sharing.last_break || !is_only_thread()) ++sharing.unseen_removals;
    sharing.last_break = now;
    return removals_version() + sharing.unseen_removals;
}

}  // namespace cowscope::epoch
