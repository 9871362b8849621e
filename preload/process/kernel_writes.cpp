// Calls by which the kernel writes into the program's memory. No instruction of the program faults
// then, so the witness sees nothing and the census must: a process whose pages are not protected
// yet (track.cpp waits with big ones) protects them now. Calls inside libc do not come by here;
// they read into stdio's buffers, a page or so each.

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "process/interpose.h"
#include "process/process.h"
#include "process/real.h"

#include "support/poison.h"

using cowscope::process::before_kernel_writes;
using cowscope::process::real;
using cowscope::process::real_functions_are_resolved;

COWSCOPE_INTERPOSED ssize_t read(int fd, void* to, size_t bytes) {
    // Allocators read files from their own start, where nothing may be looked up.
    if (!real_functions_are_resolved()) return syscall(SYS_read, fd, to, bytes);
    before_kernel_writes();
    return real().read(fd, to, bytes);
}
COWSCOPE_INTERPOSED ssize_t pread64(int fd, void* to, size_t bytes, off_t offset) {
    if (!real_functions_are_resolved()) return syscall(SYS_pread64, fd, to, bytes, offset);
    before_kernel_writes();
    return real().pread(fd, to, bytes, offset);
}
COWSCOPE_INTERPOSED ssize_t pread(int fd, void* to, size_t bytes, off_t offset) {
    return pread64(fd, to, bytes, offset);
}
COWSCOPE_INTERPOSED ssize_t readv(int fd, const struct iovec* to, int count) {
    before_kernel_writes();
    return real().readv(fd, to, count);
}
COWSCOPE_INTERPOSED ssize_t preadv64(int fd, const struct iovec* to, int count, off_t offset) {
    before_kernel_writes();
    return real().preadv(fd, to, count, offset);
}
COWSCOPE_INTERPOSED ssize_t preadv(int fd, const struct iovec* to, int count, off_t offset) {
    return preadv64(fd, to, count, offset);
}
COWSCOPE_INTERPOSED ssize_t recv(int fd, void* to, size_t bytes, int flags) {
    before_kernel_writes();
    return real().recv(fd, to, bytes, flags);
}
COWSCOPE_INTERPOSED ssize_t recvfrom(int fd, void* __restrict to, size_t bytes, int flags,
                                     struct sockaddr* __restrict address,
                                     socklen_t* __restrict address_bytes) {
    before_kernel_writes();
    return real().recvfrom(fd, to, bytes, flags, address, address_bytes);
}
COWSCOPE_INTERPOSED ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
    before_kernel_writes();
    return real().recvmsg(fd, message, flags);
}
