// Functions of libc by which a program asks about a descriptor: to it the shim's are not open. Only
// a process that has forked has any.
//
// Not seen are system calls that do not go through libc, and what libc does inside of other
// functions of its own (glob(3) or nftw(3) of /proc/self/fd).
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include <climits>

#include "process/interpose.h"
#include "process/own_descriptors.h"
#include "process/plain_call.h"
#include "process/process.h"
#include "process/real.h"

struct __dirstream;
using FolderStream = __dirstream;

// Functions that do nothing more than to fail with EBADF where the descriptor is not open:
// X(result, result of a failure, name, noexcept or nothing, parameters, arguments).
#define COWSCOPE_ASKING_FUNCTIONS(X)                                                               \
    X(int, -1, __fxstat, noexcept, (int version, int fd, struct stat* out), (version, fd, out))    \
    X(int, -1, __fxstat64, noexcept, (int version, int fd, struct stat64* out),                    \
      (version, fd, out))                                                                          \
    X(int, -1, dup, noexcept, (int fd), (fd))                                                      \
    X(int, -1, epoll_ctl, noexcept, (int epoll, int operation, int fd, struct epoll_event* event), \
      (epoll, operation, fd, event))                                                               \
    X(int, -1, fchdir, noexcept, (int fd), (fd))                                                   \
    X(int, -1, fchmod, noexcept, (int fd, mode_t mode), (fd, mode))                                \
    X(int, -1, fchown, noexcept, (int fd, uid_t user, gid_t group), (fd, user, group))             \
    X(int, -1, fdatasync, , (int fd), (fd))                                                        \
    X(FILE*, nullptr, fdopen, noexcept, (int fd, const char* mode), (fd, mode))                    \
    X(FolderStream*, nullptr, fdopendir, , (int fd), (fd))                                         \
    X(int, -1, flock, noexcept, (int fd, int operation), (fd, operation))                          \
    X(long, -1, fpathconf, noexcept, (int fd, int name), (fd, name))                               \
    X(int, -1, fstatfs, noexcept, (int fd, struct statfs* out), (fd, out))                         \
    X(int, -1, fstatfs64, noexcept, (int fd, struct statfs64* out), (fd, out))                     \
    X(int, -1, fstatvfs, noexcept, (int fd, struct statvfs* out), (fd, out))                       \
    X(int, -1, fstatvfs64, noexcept, (int fd, struct statvfs64* out), (fd, out))                   \
    X(int, -1, fsync, , (int fd), (fd))                                                            \
    X(int, -1, ftruncate, noexcept, (int fd, off_t length), (fd, length))                          \
    X(int, -1, ftruncate64, noexcept, (int fd, off64_t length), (fd, length))                      \
    X(int, -1, getpeername, noexcept, (int fd, struct sockaddr* to, socklen_t* bytes),             \
      (fd, to, bytes))                                                                             \
    X(int, -1, getsockname, noexcept, (int fd, struct sockaddr* to, socklen_t* bytes),             \
      (fd, to, bytes))                                                                             \
    X(int, -1, getsockopt, noexcept, (int fd, int level, int option, void* to, socklen_t* bytes),  \
      (fd, level, option, to, bytes))                                                              \
    X(int, 0, isatty, noexcept, (int fd), (fd))                                                    \
    X(off_t, -1, lseek, noexcept, (int fd, off_t offset, int whence), (fd, offset, whence))        \
    X(off64_t, -1, lseek64, noexcept, (int fd, off64_t offset, int whence), (fd, offset, whence))  \
    X(int, -1, tcgetattr, noexcept, (int fd, struct termios* out), (fd, out))                      \
    X(pid_t, -1, tcgetpgrp, noexcept, (int fd), (fd))                                              \
    X(char*, nullptr, ttyname, noexcept, (int fd), (fd))

#include "support/poison.h"

namespace cowscope::process {
namespace {

#define COWSCOPE_MEMBER(Result, failure, name, specifier, parameters, arguments) \
    Result(*name) parameters;
// Those that are missing belong to an older C library, and nobody calls them.
struct AskingFunctions {
    COWSCOPE_ASKING_FUNCTIONS(COWSCOPE_MEMBER)
    int (*fcntl)(int, int, ...);
    int (*fstat)(int, struct stat*);
    int (*fstatat)(int, const char*, struct stat*, int);
    int (*statx)(int, const char*, int, unsigned, struct statx*);
    int (*poll)(struct pollfd*, nfds_t, int);
    int (*select)(int, fd_set*, fd_set*, fd_set*, struct timeval*);
    int (*ttyname_r)(int, char*, size_t);
};
constinit AskingFunctions functions = {};

const AskingFunctions& next() {
    resolve_real_functions();
    return functions;
}

// To the host it is not open.
bool hides(int fd) {
    if (!is_own_descriptor(fd)) return false;
    errno = EBADF;
    return true;
}

// A path that is looked for from `fd` on, or that is none at all.
bool hides_at(int fd, const char* path) {
    return fd >= 0 && (path == nullptr || path[0] != '/') && hides(fd);
}

bool hides_any(int count, const fd_set* set) {
    if (set == nullptr) return false;
    for (int fd = 0; fd < count; ++fd) {
        if (FD_ISSET(fd, set) && hides(fd)) return true;
    }
    return false;
}

// The kernel says POLLNVAL of what is not open, and returns at once. No file has the highest
// number.
int poll_without_own(struct pollfd* all, nfds_t count, int timeout_ms) {
    constexpr int kNoFile = INT_MAX;
    constexpr size_t kMostHidden = 64;
    struct Hidden {
        nfds_t at;
        int fd;
    } hidden[kMostHidden];
    size_t hidden_count = 0;
    for (nfds_t i = 0; i < count && hidden_count < kMostHidden; ++i) {
        if (!is_own_descriptor(all[i].fd)) continue;
        hidden[hidden_count++] = {i, all[i].fd};
        all[i].fd = kNoFile;
    }
    const int result = next().poll(all, count, timeout_ms);
    for (size_t i = 0; i < hidden_count; ++i) all[hidden[i].at].fd = hidden[i].fd;
    return result;
}

}  // namespace

void resolve_asking_functions(void* (*find)(const char*)) {
    const auto resolve = [find](auto& slot, const char* name) {
        slot = reinterpret_cast<std::remove_reference_t<decltype(slot)>>(find(name));
    };
#define COWSCOPE_RESOLVE(Result, failure, name, specifier, parameters, arguments) \
    resolve(functions.name, #name);
    COWSCOPE_ASKING_FUNCTIONS(COWSCOPE_RESOLVE)
    resolve(functions.fcntl, "fcntl");
    resolve(functions.fstat, "fstat");
    resolve(functions.fstatat, "fstatat");
    resolve(functions.statx, "statx");
    resolve(functions.poll, "poll");
    resolve(functions.select, "select");
    resolve(functions.ttyname_r, "ttyname_r");
}

}  // namespace cowscope::process

using cowscope::process::hides;
using cowscope::process::hides_at;
using cowscope::process::next;

#define COWSCOPE_DEFINE(Result, failure, name, specifier, parameters, arguments) \
    COWSCOPE_INTERPOSED Result name parameters specifier {                       \
        if (hides(fd)) return failure;                                           \
        return next().name arguments;                                            \
    }
COWSCOPE_ASKING_FUNCTIONS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED int ttyname_r(int fd, char* to, size_t bytes) noexcept {
    if (hides(fd)) return EBADF;
    return next().ttyname_r(fd, to, bytes);
}

// struct stat64 is the same on 64-bit systems.
COWSCOPE_INTERPOSED int fstat(int fd, struct stat* out) noexcept {
    if (hides(fd)) return -1;
    if (!cowscope::process::real_functions_are_resolved() || next().fstat == nullptr) {
        return static_cast<int>(cowscope::process::plain_call(SYS_fstat, fd, out));
    }
    return next().fstat(fd, out);
}
COWSCOPE_INTERPOSED int fstat64(int fd, struct stat64* out) noexcept {
    return fstat(fd, reinterpret_cast<struct stat*>(out));
}
COWSCOPE_INTERPOSED int fstatat(int fd, const char* path, struct stat* out, int flags) noexcept {
    if (hides_at(fd, path)) return -1;
    if (next().fstatat == nullptr) {
        return static_cast<int>(
            cowscope::process::plain_call(SYS_newfstatat, fd, path, out, flags));
    }
    return next().fstatat(fd, path, out, flags);
}
COWSCOPE_INTERPOSED int fstatat64(int fd, const char* path, struct stat64* out,
                                  int flags) noexcept {
    return fstatat(fd, path, reinterpret_cast<struct stat*>(out), flags);
}
COWSCOPE_INTERPOSED int __fxstatat(int, int fd, const char* path, struct stat* out,
                                   int flags) noexcept {
    return fstatat(fd, path, out, flags);
}
COWSCOPE_INTERPOSED int __fxstatat64(int, int fd, const char* path, struct stat64* out,
                                     int flags) noexcept {
    return fstatat64(fd, path, out, flags);
}
COWSCOPE_INTERPOSED int statx(int fd, const char* __restrict path, int flags, unsigned mask,
                              struct statx* __restrict out) noexcept {
    if (hides_at(fd, path)) return -1;
    if (next().statx == nullptr) {
        return static_cast<int>(
            cowscope::process::plain_call(SYS_statx, fd, path, flags, mask, out));
    }
    return next().statx(fd, path, flags, mask, out);
}

// libc reads no more than one argument, whatever it is, and neither does the kernel.
COWSCOPE_INTERPOSED int fcntl(int fd, int command, ...) {
    va_list more;
    va_start(more, command);
    void* argument = va_arg(more, void*);
    va_end(more);
    if (hides(fd)) return -1;
    // The host may count on the number that it gets.
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
        cowscope::process::give_up_number(static_cast<int>(reinterpret_cast<intptr_t>(argument)));
    }
    if (!cowscope::process::real_functions_are_resolved()) {
        return static_cast<int>(cowscope::process::plain_call(SYS_fcntl, fd, command, argument));
    }
    return next().fcntl(fd, command, argument);
}
COWSCOPE_INTERPOSED int fcntl64(int fd, int command, ...) {
    va_list more;
    va_start(more, command);
    void* argument = va_arg(more, void*);
    va_end(more);
    return fcntl(fd, command, argument);
}

COWSCOPE_INTERPOSED int poll(struct pollfd* all, nfds_t count, int timeout_ms) {
    if (!cowscope::process::has_own_descriptors()) return next().poll(all, count, timeout_ms);
    return cowscope::process::poll_without_own(all, count, timeout_ms);
}
COWSCOPE_INTERPOSED int __poll_chk(struct pollfd* all, nfds_t count, int timeout_ms, size_t bytes) {
    if (bytes / sizeof(*all) < count) __builtin_trap();
    return poll(all, count, timeout_ms);
}

COWSCOPE_INTERPOSED int select(int count, fd_set* readable, fd_set* writable, fd_set* exceptional,
                               struct timeval* timeout) {
    using cowscope::process::hides_any;
    if (cowscope::process::has_own_descriptors() &&
        (hides_any(count, readable) || hides_any(count, writable) ||
         hides_any(count, exceptional))) {
        return -1;
    }
    return next().select(count, readable, writable, exceptional, timeout);
}
