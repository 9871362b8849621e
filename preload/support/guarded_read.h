// Reading memory through an address that may be stale or wrong: a bad address is `false`, never a
// fault. Async-signal-safe; about 0.3 us a call.
#pragma once

#include <errno.h>

#include <cstring>

#include "arch/cpu.h"
#include "support/readable.h"
#include "support/syscall.h"

namespace cowscope {

// By process_vm_writev(2) on itself. Its opposite would pin the pages that are read, and of pages
// that a fork shares the kernel pins only a copy (linux/mm/gup.c, gup_must_unshare); this one pins
// where it writes to, and reads like any write(2).
// How many bytes were copied, up to the first that cannot be read; -EFAULT where that is none.
inline long copy_guarded(const void* from, void* to, size_t bytes) {
    const struct iovec source = {const_cast<void*>(from), bytes};
    const struct iovec target = {to, bytes};
    return sys::write_own_memory(&source, &target, 1);
}

// Under valgrind, which does not see that such a copy writes, and complains of what is read.
inline constinit bool zero_before_copying = false;

inline bool guarded_read(const void* from, void* to, size_t bytes) {
    if (zero_before_copying) std::memset(to, 0, bytes);
    return copy_guarded(from, to, bytes) == static_cast<long>(bytes);
}

// What the host has handed to a call of its own. Where the kernel does not allow to ask, it is
// believed to be there.
inline bool read_argument(const void* from, void* to, size_t bytes) {
    const long got = copy_guarded(from, to, bytes);
    if (got == -EPERM || got == -ENOSYS) __builtin_memcpy(to, from, bytes);
    return got == static_cast<long>(bytes) || got == -EPERM || got == -ENOSYS;
}
inline bool write_result(const void* from, void* to, size_t bytes) {
    return read_argument(from, to, bytes);
}

template <typename T>
inline bool guarded_read(uint64_t from, T* to) {
    return guarded_read(reinterpret_cast<const void*>(from), to, sizeof(T));
}

// Copies what can be read of [from, from + bytes), up to the first byte that cannot. Returns how
// many. Where the kernel has no such copying, or a filter of system calls refuses it, each page is
// asked for first, and nothing may take it away in between.
inline size_t read_what_is_there(uint64_t from, void* to, size_t bytes) {
    if (zero_before_copying) std::memset(to, 0, bytes);
    const long got = copy_guarded(reinterpret_cast<const void*>(from), to, bytes);
    constexpr long kFault = -14;  // -EFAULT
    if (got >= 0 || got == kFault) return got > 0 ? static_cast<size_t>(got) : 0;
    size_t done = 0;
    while (done < bytes && is_word_readable((from + done) & ~uint64_t{7})) {
        const size_t left = cpu::kPageBytes - (from + done) % cpu::kPageBytes;
        const size_t step = left < bytes - done ? left : bytes - done;
        std::memcpy(static_cast<char*>(to) + done, reinterpret_cast<const void*>(from + done),
                    step);
        done += step;
    }
    return done;
}

}  // namespace cowscope
