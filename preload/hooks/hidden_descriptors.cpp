// Functions of libc that take a descriptor: to them the shim's are not open (own_descriptors.h).
// Only a process that has forked has any. Those that read are in kernel_writes.cpp, those that wait
// in hidden_waits.cpp and masked_waits.cpp, those that take a path as well in hidden_paths.cpp.
//
// Not seen are system calls that do not go through libc.
#include <aio.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "epoch/epoch.h"
#include "hooks/descriptor_functions.h"
#include "hooks/own_descriptors.h"
#include "hooks/real.h"
#include "hooks/stand_in.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

struct Functions {
    COWSCOPE_DESCRIPTOR_FUNCTIONS(COWSCOPE_SLOT)
    COWSCOPE_RARE_DESCRIPTOR_FUNCTIONS(COWSCOPE_SLOT)
    int (*fcntl)(int, int, ...);
    int (*aio_write64)(struct aiocb64*);
    int (*aio_fsync64)(int, struct aiocb64*);
};
constinit Functions functions = {};

// libc gives the number to the kernel later, in a thread of its own.
bool hides(int fd) {
    if (!is_own_descriptor(fd)) return false;
    errno = EBADF;
    return true;
}

}  // namespace

void resolve_asking_functions(void* (*find)(const char*)) {
    COWSCOPE_DESCRIPTOR_FUNCTIONS(COWSCOPE_RESOLVE_SLOT)
    resolve_function(functions.fcntl, find, "fcntl");
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_DESCRIPTOR_FUNCTIONS(COWSCOPE_STAND_IN)
COWSCOPE_RARE_DESCRIPTOR_FUNCTIONS(COWSCOPE_STAND_IN)

// libc reads no more than one argument, whatever it is, and neither does the kernel.
COWSCOPE_INTERPOSED int fcntl(int fd, int command, ...) {
    va_list more;
    va_start(more, command);
    void* argument = va_arg(more, void*);
    va_end(more);
    // The host may count on the number that it gets.
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
        give_up_number(static_cast<int>(reinterpret_cast<intptr_t>(argument)));
    }
    if (auto* const next = find_function(functions.fcntl, "fcntl", SYS_fcntl)) {
        return next(visible(fd), command, argument);
    }
    return static_cast<int>(plain_call(SYS_fcntl, fd, command, argument));
}
COWSCOPE_INTERPOSED int fcntl64(int fd, int command, ...) {
    va_list more;
    va_start(more, command);
    void* argument = va_arg(more, void*);
    va_end(more);
    return fcntl(fd, command, argument);
}
COWSCOPE_INTERPOSED int __fcntl(int fd, int command, ...) {
    va_list more;
    va_start(more, command);
    void* argument = va_arg(more, void*);
    va_end(more);
    return fcntl(fd, command, argument);
}

// Other names of the same: on 64-bit systems all sizes have 64 bits.
COWSCOPE_INTERPOSED int ftruncate64(int fd, off64_t length) noexcept {
    return ftruncate(fd, length);
}
COWSCOPE_INTERPOSED off64_t lseek64(int fd, off64_t offset, int whence) noexcept {
    return lseek(fd, offset, whence);
}
COWSCOPE_INTERPOSED off_t __lseek(int fd, off_t offset, int whence) noexcept {
    return lseek(fd, offset, whence);
}
COWSCOPE_INTERPOSED off_t llseek(int fd, off_t offset, int whence) noexcept {
    return lseek(fd, offset, whence);
}
COWSCOPE_INTERPOSED int fstatfs64(int fd, struct statfs64* out) noexcept {
    return fstatfs(fd, reinterpret_cast<struct statfs*>(out));
}
COWSCOPE_INTERPOSED int fstatvfs64(int fd, struct statvfs64* out) noexcept {
    return fstatvfs(fd, reinterpret_cast<struct statvfs*>(out));
}
COWSCOPE_INTERPOSED int __connect(int fd, const struct sockaddr* to, socklen_t bytes) {
    return connect(fd, to, bytes);
}
COWSCOPE_INTERPOSED ssize_t __send(int fd, const void* from, size_t bytes, int flags) {
    return send(fd, from, bytes, flags);
}
COWSCOPE_INTERPOSED ssize_t __write(int fd, const void* from, size_t bytes) {
    return write(fd, from, bytes);
}
COWSCOPE_INTERPOSED ssize_t pwrite(int fd, const void* from, size_t bytes, off_t offset) {
    return pwrite64(fd, from, bytes, offset);
}
COWSCOPE_INTERPOSED ssize_t __pwrite64(int fd, const void* from, size_t bytes, off64_t offset) {
    return pwrite64(fd, from, bytes, offset);
}
COWSCOPE_INTERPOSED ssize_t pwritev(int fd, const struct iovec* from, int count, off_t offset) {
    return pwritev64(fd, from, count, offset);
}
COWSCOPE_INTERPOSED ssize_t pwritev2(int fd, const struct iovec* from, int count, off_t offset,
                                     int flags) {
    return pwritev64v2(fd, from, count, offset, flags);
}
COWSCOPE_INTERPOSED ssize_t sendfile(int to, int from, off_t* offset, size_t bytes) noexcept {
    return sendfile64(to, from, offset, bytes);
}
COWSCOPE_INTERPOSED int fallocate(int fd, int mode, off_t offset, off_t bytes) {
    return fallocate64(fd, mode, offset, bytes);
}
COWSCOPE_INTERPOSED int posix_fallocate(int fd, off_t offset, off_t bytes) {
    return posix_fallocate64(fd, offset, bytes);
}
COWSCOPE_INTERPOSED int posix_fadvise(int fd, off_t offset, off_t bytes, int advice) noexcept {
    return posix_fadvise64(fd, offset, bytes, advice);
}
COWSCOPE_INTERPOSED int lockf64(int fd, int command, off64_t bytes) {
    return lockf(fd, command, bytes);
}
COWSCOPE_INTERPOSED int dprintf(int fd, const char* format, ...) {
    va_list more;
    va_start(more, format);
    const int result = vdprintf(fd, format, more);
    va_end(more);
    return result;
}
COWSCOPE_INTERPOSED int __dprintf_chk(int fd, int flag, const char* format, ...) {
    va_list more;
    va_start(more, format);
    const int result = __vdprintf_chk(fd, flag, format, more);
    va_end(more);
    return result;
}

// Done by threads of libc's own, later.
COWSCOPE_INTERPOSED int aio_write64(struct aiocb64* request) noexcept {
    if (hides(request->aio_fildes)) return -1;
    auto* const next = find_function(functions.aio_write64, "aio_write64", kNoCall);
    return next == nullptr ? CallInstead<int, kNoCall>()() : next(request);
}
COWSCOPE_INTERPOSED int aio_write(struct aiocb* request) noexcept {
    return aio_write64(reinterpret_cast<struct aiocb64*>(request));
}
COWSCOPE_INTERPOSED int aio_fsync64(int operation, struct aiocb64* request) noexcept {
    if (hides(request->aio_fildes)) return -1;
    auto* const next = find_function(functions.aio_fsync64, "aio_fsync64", kNoCall);
    return next == nullptr ? CallInstead<int, kNoCall>()() : next(operation, request);
}
COWSCOPE_INTERPOSED int aio_fsync(int operation, struct aiocb* request) noexcept {
    return aio_fsync64(operation, reinterpret_cast<struct aiocb64*>(request));
}
COWSCOPE_INTERPOSED int aio_cancel(int fd, struct aiocb* request) noexcept {
    return aio_cancel64(fd, reinterpret_cast<struct aiocb64*>(request));
}
