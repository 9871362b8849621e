// The functions of libc that programs look at paths and open them with, and that look at an open
// descriptor: as in hidden_paths.cpp and hidden_descriptors.cpp, but for little (look()).
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "epoch/epoch.h"
#include "hooks/hidden_paths.h"
#include "hooks/own_folders.h"
#include "hooks/real.h"
#include "hooks/stand_in.h"
#include "support/kept_errno.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

// struct stat64 is the same on 64-bit systems. Libcs older than glibc 2.33 have __xstat() and its
// kin alone; nobody calls by name what is missing.
struct Functions {
    int (*access)(const char*, int);
    int (*faccessat)(int, const char*, int, int);
    int (*stat)(const char*, struct stat*);
    int (*lstat)(const char*, struct stat*);
    int (*fstat)(int, struct stat*);
    int (*fstatat)(int, const char*, struct stat*, int);
    int (*__xstat)(int, const char*, struct stat*);
    int (*__lxstat)(int, const char*, struct stat*);
    int (*__fxstat)(int, int, struct stat*);
    int (*__fxstatat)(int, int, const char*, struct stat*, int);
    int (*statx)(int, const char*, int, unsigned, struct statx*);
    int (*open)(const char*, int, ...);
    int (*openat)(int, const char*, int, ...);
    int (*__open_2)(const char*, int);
    int (*__openat_2)(int, const char*, int);
};
constinit Functions functions = {};

// libc's, or the system call in its place.
#define COWSCOPE_CALL(name, number, arguments)                                          \
    [&] {                                                                               \
        auto* const next = find_function(functions.name, #name, number);                \
        return next != nullptr ? next arguments : CallInstead<int, number>() arguments; \
    }()

// The kernel tells the number of descriptors as the size of the folder that lists them (Linux 6.2).
bool may_tell_number(unsigned mode, uint64_t size) {
    return may_have_own_descriptors() && size != 0 && S_ISDIR(mode) && (mode & 0777) == 0500;
}
// How many of them are the shim's.
unsigned own_in(int folder, const char* path) {
    const KeptErrno kept_errno;
    const size_t length = path == nullptr ? 0 : std::strlen(path);
    return is_own_folder(folder, path, length) ? count_own_descriptors() : 0;
}
void take_own_off(int folder, const char* path, struct stat* found) {
    if (!may_tell_number(found->st_mode, static_cast<uint64_t>(found->st_size))) return;
    found->st_size -= own_in(folder, path);
}

template <typename Call>
int look_for_status(int folder, const char* path, struct stat* out, const Call& call) {
    const int result = look(folder, path, call);
    if (result == 0) take_own_off(folder, path, out);
    return result;
}

// Opening may create the file, or empty it.
template <typename Open>
int open_visible(int folder, const char* path, int flags, const Open& open) {
    if ((flags & (O_CREAT | O_TRUNC)) != 0) return open(visible_path(folder, path));
    const int fd = open(path);
    if (!may_have_own_descriptors()) return fd;
    const char* const visible = path_after_look(folder, path, fd >= 0);
    if (visible == path) return fd;
    if (fd >= 0) sys::close(fd);
    return open(visible);
}

}  // namespace

void resolve_looking_functions(void* (*find)(const char*)) {
    resolve_function(functions.access, find, "access");
    resolve_function(functions.faccessat, find, "faccessat");
    resolve_function(functions.stat, find, "stat");
    resolve_function(functions.lstat, find, "lstat");
    resolve_function(functions.fstat, find, "fstat");
    resolve_function(functions.fstatat, find, "fstatat");
    resolve_function(functions.__xstat, find, "__xstat");
    resolve_function(functions.__lxstat, find, "__lxstat");
    resolve_function(functions.__fxstat, find, "__fxstat");
    resolve_function(functions.__fxstatat, find, "__fxstatat");
    resolve_function(functions.statx, find, "statx");
    resolve_function(functions.open, find, "open");
    resolve_function(functions.openat, find, "openat");
    resolve_function(functions.__open_2, find, "__open_2");
    resolve_function(functions.__openat_2, find, "__openat_2");
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

namespace sys = sys;

COWSCOPE_INTERPOSED int access(const char* path, int mode) noexcept {
    return look(AT_FDCWD, path,
                [&](const char* at) { return COWSCOPE_CALL(access, SYS_access, (at, mode)); });
}
COWSCOPE_INTERPOSED int faccessat(int folder, const char* path, int mode, int flags) noexcept {
    return look(folder, path, [&](const char* at) {
        return COWSCOPE_CALL(faccessat, kNoCall, (visible(folder), at, mode, flags));
    });
}

COWSCOPE_INTERPOSED int stat(const char* path, struct stat* out) noexcept {
    return look_for_status(AT_FDCWD, path, out, [&](const char* at) {
        return COWSCOPE_CALL(stat, SYS_stat, (at, out));
    });
}
COWSCOPE_INTERPOSED int lstat(const char* path, struct stat* out) noexcept {
    return look_for_status(AT_FDCWD, path, out, [&](const char* at) {
        return COWSCOPE_CALL(lstat, SYS_lstat, (at, out));
    });
}
COWSCOPE_INTERPOSED int fstat(int fd, struct stat* out) noexcept {
    const int result = COWSCOPE_CALL(fstat, SYS_fstat, (visible(fd), out));
    if (result == 0) take_own_off(fd, "", out);
    return result;
}
COWSCOPE_INTERPOSED int fstatat(int folder, const char* path, struct stat* out,
                                int flags) noexcept {
    return look_for_status(folder, path, out, [&](const char* at) {
        return COWSCOPE_CALL(fstatat, SYS_newfstatat, (visible(folder), at, out, flags));
    });
}
COWSCOPE_INTERPOSED int __xstat(int version, const char* path, struct stat* out) noexcept {
    return look_for_status(AT_FDCWD, path, out, [&](const char* at) {
        auto* const next = find_function(functions.__xstat, "__xstat", SYS_stat);
        return next != nullptr ? next(version, at, out) : CallInstead<int, SYS_stat>()(at, out);
    });
}
COWSCOPE_INTERPOSED int __lxstat(int version, const char* path, struct stat* out) noexcept {
    return look_for_status(AT_FDCWD, path, out, [&](const char* at) {
        auto* const next = find_function(functions.__lxstat, "__lxstat", SYS_lstat);
        return next != nullptr ? next(version, at, out) : CallInstead<int, SYS_lstat>()(at, out);
    });
}
COWSCOPE_INTERPOSED int __fxstat(int version, int fd, struct stat* out) noexcept {
    auto* const next = find_function(functions.__fxstat, "__fxstat", SYS_fstat);
    const int result = next != nullptr ? next(version, visible(fd), out)
                                       : CallInstead<int, SYS_fstat>()(visible(fd), out);
    if (result == 0) take_own_off(fd, "", out);
    return result;
}
COWSCOPE_INTERPOSED int __fxstatat(int version, int folder, const char* path, struct stat* out,
                                   int flags) noexcept {
    return look_for_status(folder, path, out, [&](const char* at) {
        auto* const next = find_function(functions.__fxstatat, "__fxstatat", SYS_newfstatat);
        return next != nullptr
                   ? next(version, visible(folder), at, out, flags)
                   : CallInstead<int, SYS_newfstatat>()(visible(folder), at, out, flags);
    });
}
COWSCOPE_INTERPOSED int statx(int folder, const char* __restrict path, int flags, unsigned mask,
                              struct statx* __restrict out) noexcept {
    const int result = look(folder, path, [&](const char* at) {
        return COWSCOPE_CALL(statx, SYS_statx, (visible(folder), at, flags, mask, out));
    });
    if (result != 0 || !may_tell_number(out->stx_mode, out->stx_size)) return result;
    out->stx_size -= own_in(folder, path);
    return result;
}

// The third argument is there only where a file may be created; the kernel ignores it otherwise.
#define COWSCOPE_TAKE_MODE(behind)          \
    va_list more;                           \
    va_start(more, behind);                 \
    const auto mode = va_arg(more, mode_t); \
    va_end(more)

COWSCOPE_INTERPOSED int open(const char* path, int flags, ...) {
    COWSCOPE_TAKE_MODE(flags);
    return open_visible(AT_FDCWD, path, flags, [&](const char* at) {
        auto* const next = find_function(functions.open, "open", SYS_openat);
        return next != nullptr ? next(at, flags, mode)
                               : CallInstead<int, SYS_openat>()(AT_FDCWD, at, flags, mode);
    });
}
COWSCOPE_INTERPOSED int open64(const char* path, int flags, ...) {
    COWSCOPE_TAKE_MODE(flags);
    return open(path, flags, mode);
}
COWSCOPE_INTERPOSED int __open(const char* path, int flags, ...) {
    COWSCOPE_TAKE_MODE(flags);
    return open(path, flags, mode);
}
COWSCOPE_INTERPOSED int __open64(const char* path, int flags, ...) {
    COWSCOPE_TAKE_MODE(flags);
    return open(path, flags, mode);
}
COWSCOPE_INTERPOSED int openat(int folder, const char* path, int flags, ...) {
    COWSCOPE_TAKE_MODE(flags);
    return open_visible(folder, path, flags, [&](const char* at) {
        return COWSCOPE_CALL(openat, SYS_openat, (visible(folder), at, flags, mode));
    });
}
COWSCOPE_INTERPOSED int openat64(int folder, const char* path, int flags, ...) {
    COWSCOPE_TAKE_MODE(flags);
    return openat(folder, path, flags, mode);
}
// What the compiler makes of calls without a mode: libc ends the program where one is needed.
COWSCOPE_INTERPOSED int __open_2(const char* path, int flags) {
    return open_visible(AT_FDCWD, path, flags, [&](const char* at) {
        return COWSCOPE_CALL(__open_2, kNoCall, (at, flags));
    });
}
COWSCOPE_INTERPOSED int __open64_2(const char* path, int flags) {
    return __open_2(path, flags);
}
COWSCOPE_INTERPOSED int __openat_2(int folder, const char* path, int flags) {
    return open_visible(folder, path, flags, [&](const char* at) {
        return COWSCOPE_CALL(__openat_2, kNoCall, (visible(folder), at, flags));
    });
}
COWSCOPE_INTERPOSED int __openat64_2(int folder, const char* path, int flags) {
    return __openat_2(folder, path, flags);
}

// Other names of the same.
COWSCOPE_INTERPOSED int stat64(const char* path, struct stat64* out) noexcept {
    return stat(path, reinterpret_cast<struct stat*>(out));
}
COWSCOPE_INTERPOSED int lstat64(const char* path, struct stat64* out) noexcept {
    return lstat(path, reinterpret_cast<struct stat*>(out));
}
COWSCOPE_INTERPOSED int fstat64(int fd, struct stat64* out) noexcept {
    return fstat(fd, reinterpret_cast<struct stat*>(out));
}
COWSCOPE_INTERPOSED int fstatat64(int folder, const char* path, struct stat64* out,
                                  int flags) noexcept {
    return fstatat(folder, path, reinterpret_cast<struct stat*>(out), flags);
}
COWSCOPE_INTERPOSED int __xstat64(int version, const char* path, struct stat64* out) noexcept {
    return __xstat(version, path, reinterpret_cast<struct stat*>(out));
}
COWSCOPE_INTERPOSED int __lxstat64(int version, const char* path, struct stat64* out) noexcept {
    return __lxstat(version, path, reinterpret_cast<struct stat*>(out));
}
COWSCOPE_INTERPOSED int __fxstat64(int version, int fd, struct stat64* out) noexcept {
    return __fxstat(version, fd, reinterpret_cast<struct stat*>(out));
}
COWSCOPE_INTERPOSED int __fxstatat64(int version, int folder, const char* path, struct stat64* out,
                                     int flags) noexcept {
    return __fxstatat(version, folder, path, reinterpret_cast<struct stat*>(out), flags);
}
