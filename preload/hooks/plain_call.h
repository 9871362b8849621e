// A system call that the program makes through a stand-in of the shim's, before libc's functions
// are looked up. An allocator makes its first calls with its own lock held, and looking up may
// allocate: dlsym() does for a name that libc lacks, to say so. Result and errno are as libc's.
// Async-signal-safe.
#pragma once

#include <errno.h>

#include <cstdint>
#include <type_traits>

#include "support/syscall.h"

namespace cowscope::hooks {

template <typename Word>
long as_word(Word word) {
    if constexpr (std::is_pointer_v<Word>) {
        return static_cast<long>(reinterpret_cast<intptr_t>(word));
    } else {
        return static_cast<long>(word);
    }
}

// Not inlined: tests/shim_system_calls knows by its name that these calls are the program's.
template <typename... Words>
[[gnu::noinline]] long plain_call(long number, Words... words) {
    static_assert(sizeof...(words) <= 6);
    const long all[6] = {as_word(words)...};
    const long result = sys::raw_syscall6(number, all[0], all[1], all[2], all[3], all[4], all[5]);
    if (!sys::failed(result)) return result;
    errno = static_cast<int>(-result);
    return -1;
}

}  // namespace cowscope::hooks
