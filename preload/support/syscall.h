// System calls without libc: no errno, no cancellation point, no interposed symbol, usable in a
// signal handler and in the child of a threaded parent. Every function returns the kernel's result,
// -errno on failure.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include <cstddef>
#include <cstdint>

#include "arch/cpu.h"
#include "support/system_calls.h"

namespace cowscope::sys {

using cpu::pause_cpu;
// Any: only for trying out what a filter does to the listed ones, and for the program's own.
using cpu::raw_syscall6;

inline long syscall6(Call n, long a, long b, long c, long d, long e, long f) {
    return raw_syscall6(n.number, a, b, c, d, e, f);
}
inline long syscall5(Call n, long a, long b, long c, long d, long e) {
    return raw_syscall6(n.number, a, b, c, d, e, 0);
}
inline long syscall4(Call n, long a, long b, long c, long d) {
    return raw_syscall6(n.number, a, b, c, d, 0, 0);
}
inline long syscall3(Call n, long a, long b, long c) {
    return raw_syscall6(n.number, a, b, c, 0, 0, 0);
}
inline long syscall2(Call n, long a, long b) {
    return raw_syscall6(n.number, a, b, 0, 0, 0, 0);
}
inline long syscall1(Call n, long a) {
    return raw_syscall6(n.number, a, 0, 0, 0, 0, 0);
}
inline long syscall0(Call n) {
    return raw_syscall6(n.number, 0, 0, 0, 0, 0, 0);
}

template <typename T>
inline long word(T* pointer) {
    return reinterpret_cast<long>(pointer);
}

inline bool failed(long result) {
    constexpr long kMostError = 4095;  // MAX_ERRNO of include/linux/err.h
    return result < 0 && result >= -kMostError;
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
inline int ioctl(int fd, Request request, void* argument) {
    return static_cast<int>(
        raw_syscall6(SYS_ioctl, fd, static_cast<long>(request.number), word(argument), 0, 0, 0));
}
inline int fcntl(int fd, int command, long argument) {
    return static_cast<int>(syscall3(SYS_fcntl, fd, command, argument));
}
inline int getrlimit(int resource, struct rlimit* out) {
    return static_cast<int>(syscall4(SYS_prlimit64, 0, resource, 0, word(out)));
}

// The shim's own mappings, by where they stand: bytes from the start of an area of 1 GiB, which has
// page tables of its own.
enum class OwnPlace : uint64_t {
    arena = 0,
    segment_start = uint64_t{128} << 20,
    staging = uint64_t{192} << 20,
    size_limit = uint64_t{256} << 20,
    counts = uint64_t{320} << 20,
    sentinel = uint64_t{384} << 20,
    probe = uint64_t{448} << 20,
    segment = uint64_t{512} << 20,  // to the end
};
inline constexpr uint64_t kSegmentPlaceBytes = uint64_t{512} << 20;

// The kernel would give the shim what the program has just unmapped, and a program may map anew at
// an address that it knows to be free (MAP_FIXED). So the area lies 256 GiB below the shim's code,
// where the program had nothing. Where it has all the same the kernel takes another place.
inline uint64_t own_area() {
    static const char here = 0;
    constexpr uint64_t kBelow = uint64_t{256} << 30;
    constexpr uint64_t kAreaBytes = uint64_t{1} << 30;
    const auto address = reinterpret_cast<uint64_t>(&here);
    return address < 2 * kBelow ? kAreaBytes : (address - kBelow) & ~(kAreaBytes - 1);
}

inline void* mmap(uint64_t address, size_t bytes, int protection, int flags, int fd,
                  uint64_t offset) {
    return reinterpret_cast<void*>(syscall6(SYS_mmap, static_cast<long>(address),
                                            static_cast<long>(bytes), protection, flags, fd,
                                            static_cast<long>(offset)));
}
inline void* mmap(OwnPlace place, size_t bytes, int protection, int flags, int fd = -1) {
    return mmap(own_area() + static_cast<uint64_t>(place), bytes, protection, flags, fd, 0);
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

// Where the program has asked for all memory to be locked (MCL_FUTURE), the shim's own is not.
inline void unlock(void* start, size_t bytes) {
    syscall2(SYS_munlock, word(start), static_cast<long>(bytes));
}
// A part of a file, shared, of which children get nothing. `address`: where it stands if it can.
inline void* map_file(uint64_t address, int fd, uint64_t offset, size_t bytes) {
    void* mapping =
        mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
    if (failed(mapping)) return mapping;
    unlock(mapping, bytes);
    madvise(mapping, bytes, MADV_DONTFORK);
    return mapping;
}
// Makes the pages of a mapping writable at once, as far as the kernel knows how to (Linux 5.14).
inline constexpr int kMadvPopulateWrite = 23;  // asm-generic/mman-common.h
// False where there is no room for them.
inline bool populate(void* start, size_t bytes) {
    const int result = madvise(start, bytes, kMadvPopulateWrite);
    return result == 0 || result == -EINVAL || result == -EPERM || result == -ENOSYS;
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
// Copies within this process's memory, where a bad address is -EFAULT and no signal: what could not
// be written, or the number of bytes. The thread is asked for anew: a process in a new namespace
// has another number, and one whose first thread has ended is found by the others' alone.
inline long write_own_memory(const struct iovec* from, const struct iovec* to, size_t parts) {
    return syscall6(SYS_process_vm_writev, gettid(), word(from), static_cast<long>(parts), word(to),
                    static_cast<long>(parts), 0);
}
inline bool write_guarded(const void* from, void* to, size_t bytes) {
    const struct iovec source = {const_cast<void*>(from), bytes};
    const struct iovec target = {to, bytes};
    return write_own_memory(&source, &target, 1) == static_cast<long>(bytes);
}

// Of this thread (get_robust_list(2)).
inline void* robust_list() {
    void* head = nullptr;
    size_t bytes = 0;
    syscall3(SYS_get_robust_list, 0, word(&head), word(&bytes));
    return head;
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
// before find_clock() (hooks/process/start.cpp) and without a vdso. Not libc's: programs are run
// with libraries that stand before that one, and those may do anything.
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

inline uint64_t current_break() {
    return static_cast<uint64_t>(syscall1(SYS_brk, 0));
}

}  // namespace cowscope::sys
