// System calls without libc: no errno, no cancellation point, no interposed symbol, usable in a
// signal handler and in the child of a threaded parent. Every function returns the kernel's result,
// -errno on failure.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>

#include <cstddef>
#include <cstdint>

#include "support/syscall_x86_64.h"

namespace cowscope::sys {

template <typename T>
inline long word(T* pointer) {
    return reinterpret_cast<long>(pointer);
}

inline bool failed(long result) {
    return result < 0 && result > -4096;
}

inline int open_at(int folder, const char* path, int flags, unsigned mode = 0) {
    return static_cast<int>(
        syscall4(SYS_openat, folder, word(path), flags | O_CLOEXEC, static_cast<long>(mode)));
}
inline int open(const char* path, int flags, unsigned mode = 0) {
    return open_at(AT_FDCWD, path, flags, mode);
}
inline int close(int fd) {
    return static_cast<int>(syscall1(SYS_close, fd));
}
inline long read(int fd, void* to, size_t bytes) {
    return syscall3(SYS_read, fd, word(to), static_cast<long>(bytes));
}
inline long write(int fd, const void* from, size_t bytes) {
    return syscall3(SYS_write, fd, word(from), static_cast<long>(bytes));
}
inline int mkdir(const char* path, unsigned mode) {
    return static_cast<int>(syscall2(SYS_mkdir, word(path), static_cast<long>(mode)));
}
inline int unlink_at(int folder, const char* path) {
    return static_cast<int>(syscall3(SYS_unlinkat, folder, word(path), 0));
}
inline int fstat(int fd, struct stat* out) {
    return static_cast<int>(syscall2(SYS_fstat, fd, word(out)));
}
inline int ioctl(int fd, unsigned long request, void* argument) {
    return static_cast<int>(syscall3(SYS_ioctl, fd, static_cast<long>(request), word(argument)));
}
inline int fcntl(int fd, int command, long argument) {
    return static_cast<int>(syscall3(SYS_fcntl, fd, command, argument));
}
inline int getrlimit(int resource, struct rlimit* out) {
    return static_cast<int>(syscall4(SYS_prlimit64, 0, resource, 0, word(out)));
}

inline void* mmap(size_t bytes, int protection, int flags, int fd = -1, uint64_t offset = 0) {
    return reinterpret_cast<void*>(syscall6(SYS_mmap, 0, static_cast<long>(bytes), protection,
                                            flags, fd, static_cast<long>(offset)));
}
inline bool failed(const void* mapping) {
    return failed(reinterpret_cast<long>(mapping));
}
inline int munmap(void* start, size_t bytes) {
    return static_cast<int>(syscall2(SYS_munmap, word(start), static_cast<long>(bytes)));
}
inline int madvise(void* start, size_t bytes, int advice) {
    return static_cast<int>(syscall3(SYS_madvise, word(start), static_cast<long>(bytes), advice));
}

inline pid_t getpid() {
    return static_cast<pid_t>(syscall0(SYS_getpid));
}
inline pid_t getppid() {
    return static_cast<pid_t>(syscall0(SYS_getppid));
}
inline uid_t geteuid() {
    return static_cast<uid_t>(syscall0(SYS_geteuid));
}
inline pid_t gettid() {
    return static_cast<pid_t>(syscall0(SYS_gettid));
}
inline void sched_yield() {
    syscall0(SYS_sched_yield);
}
// At least so long; shorter where a signal strikes.
inline void sleep_ns(long ns) {
    const struct timespec time = {0, ns};
    syscall4(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, word(&time), 0);
}
inline int tgkill(pid_t pid, pid_t tid, int signal) {
    return static_cast<int>(syscall3(SYS_tgkill, pid, tid, signal));
}

// A signal set as the kernel sees it: bit n-1 is signal n.
using SignalMask = uint64_t;
inline constexpr SignalMask kAllSignals = ~SignalMask{0};
inline SignalMask set_signal_mask(SignalMask mask) {
    SignalMask old = 0;
    syscall4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, word(&mask), word(&old), sizeof(mask));
    return old;
}

// The vdso's clock_gettime(), which takes no lock and enters the kernel only where it must; nullptr
// before find_clock() (process/start.cpp) and without a vdso. Not libc's: programs are run with
// libraries that stand before that one, and those may do anything.
using Clock = int(clockid_t, struct timespec*);
inline constinit Clock* vdso_clock = nullptr;

// CLOCK_MONOTONIC in ns.
inline uint64_t monotonic_ns() {
    struct timespec now = {};
    if (vdso_clock == nullptr || vdso_clock(CLOCK_MONOTONIC, &now) != 0) {
        syscall2(SYS_clock_gettime, CLOCK_MONOTONIC, word(&now));
    }
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace cowscope::sys
