// The functions of libc that programs look at paths and open them with, and that look at an open
// descriptor: as in path_arguments.cpp and descriptor_arguments.cpp, but for little (look()).
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "hooks/descriptors/descriptor_folders.h"
#include "hooks/descriptors/path_arguments.h"
#include "support/kept_errno.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

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

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_OPEN_AND_STAT_HOOKS(COWSCOPE_DEFINE)

COWSCOPE_INTERPOSED int access(const char* path, int mode) noexcept {
    return look(AT_FDCWD, path, [&](const char* at) { return real::access(at, mode); });
}
COWSCOPE_INTERPOSED int faccessat(int folder, const char* path, int mode, int flags) noexcept {
    return look(folder, path,
                [&](const char* at) { return real::faccessat(visible(folder), at, mode, flags); });
}

COWSCOPE_INTERPOSED int stat(const char* path, struct stat* out) noexcept {
    return look_for_status(AT_FDCWD, path, out,
                           [&](const char* at) { return real::stat(at, out); });
}
COWSCOPE_INTERPOSED int lstat(const char* path, struct stat* out) noexcept {
    return look_for_status(AT_FDCWD, path, out,
                           [&](const char* at) { return real::lstat(at, out); });
}
COWSCOPE_INTERPOSED int fstat(int fd, struct stat* out) noexcept {
    const int result = real::fstat(visible(fd), out);
    if (result == 0) take_own_off(fd, "", out);
    return result;
}
COWSCOPE_INTERPOSED int fstatat(int folder, const char* path, struct stat* out,
                                int flags) noexcept {
    return look_for_status(folder, path, out, [&](const char* at) {
        return real::fstatat(visible(folder), at, out, flags);
    });
}
// Libcs older than glibc 2.33 have these alone; before anything is looked up the system call does,
// which knows no version.
COWSCOPE_INTERPOSED int __xstat(int version, const char* path, struct stat* out) noexcept {
    return look_for_status(AT_FDCWD, path, out, [&](const char* at) {
        return real_functions_are_resolved() ? real::__xstat(version, at, out)
                                             : real::stat(at, out);
    });
}
COWSCOPE_INTERPOSED int __lxstat(int version, const char* path, struct stat* out) noexcept {
    return look_for_status(AT_FDCWD, path, out, [&](const char* at) {
        return real_functions_are_resolved() ? real::__lxstat(version, at, out)
                                             : real::lstat(at, out);
    });
}
COWSCOPE_INTERPOSED int __fxstat(int version, int fd, struct stat* out) noexcept {
    const int result = real_functions_are_resolved() ? real::__fxstat(version, visible(fd), out)
                                                     : real::fstat(visible(fd), out);
    if (result == 0) take_own_off(fd, "", out);
    return result;
}
COWSCOPE_INTERPOSED int __fxstatat(int version, int folder, const char* path, struct stat* out,
                                   int flags) noexcept {
    return look_for_status(folder, path, out, [&](const char* at) {
        return real_functions_are_resolved()
                   ? real::__fxstatat(version, visible(folder), at, out, flags)
                   : real::fstatat(visible(folder), at, out, flags);
    });
}
COWSCOPE_INTERPOSED int statx(int folder, const char* __restrict path, int flags, unsigned mask,
                              struct statx* __restrict out) noexcept {
    const int result = look(folder, path, [&](const char* at) {
        return real::statx(visible(folder), at, flags, mask, out);
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
        return real_functions_are_resolved() ? real::open(at, flags, mode)
                                             : real::openat(AT_FDCWD, at, flags, mode);
    });
}
COWSCOPE_INTERPOSED int openat(int folder, const char* path, int flags, ...) {
    COWSCOPE_TAKE_MODE(flags);
    return open_visible(folder, path, flags, [&](const char* at) {
        return real::openat(visible(folder), at, flags, mode);
    });
}
// What the compiler makes of calls without a mode: libc ends the program where one is needed.
COWSCOPE_INTERPOSED int __open_2(const char* path, int flags) {
    return open_visible(AT_FDCWD, path, flags,
                        [&](const char* at) { return real::__open_2(at, flags); });
}
COWSCOPE_INTERPOSED int __openat_2(int folder, const char* path, int flags) {
    return open_visible(folder, path, flags, [&](const char* at) {
        return real::__openat_2(visible(folder), at, flags);
    });
}
