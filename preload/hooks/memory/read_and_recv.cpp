// Calls by which the kernel writes into the program's memory. No instruction of the program faults
// then, so the witness sees nothing, and while nothing else looks (epoch/begin.cpp) these functions
// do: they ask before the call which pages of the buffer are shared, and afterwards know how far
// the kernel wrote. Buffers in pieces, and large ones, are left to the tracker. What libc does
// inside of other functions does not come by here: find_unseen_copies() (epoch/begin.cpp) finds
// what it left. Calls that have streams to read from are in stream_reads.cpp.

#include <aio.h>
#include <errno.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "epoch/classify.h"
#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "hooks/descriptors/own_descriptors.h"
#include "hooks/descriptors/path_arguments.h"
#include "hooks/memory/kernel_write.h"

#include "support/poison.h"

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_KERNEL_WRITE_HOOKS(COWSCOPE_DEFINE)

using epoch::before_unseen_writes;

COWSCOPE_INTERPOSED ssize_t read(int fd, void* to, size_t bytes) {
    const KernelWrite write(to, bytes);
    return write.wrote(real::read(visible(fd), to, bytes));
}
COWSCOPE_INTERPOSED ssize_t pread64(int fd, void* to, size_t bytes, off_t offset) {
    const KernelWrite write(to, bytes);
    return write.wrote(real::pread64(visible(fd), to, bytes, offset));
}
COWSCOPE_INTERPOSED ssize_t readv(int fd, const struct iovec* to, int count) {
    epoch::before_unseen_writes();
    return real::readv(visible(fd), to, count);
}
COWSCOPE_INTERPOSED ssize_t preadv64(int fd, const struct iovec* to, int count, off_t offset) {
    epoch::before_unseen_writes();
    return real::preadv64(visible(fd), to, count, offset);
}
COWSCOPE_INTERPOSED ssize_t recv(int fd, void* to, size_t bytes, int flags) {
    const KernelWrite write(to, bytes);
    return write.wrote(real::recv(visible(fd), to, bytes, flags));
}
COWSCOPE_INTERPOSED ssize_t recvfrom(int fd, void* __restrict to, size_t bytes, int flags,
                                     struct sockaddr* __restrict address,
                                     socklen_t* __restrict address_bytes) {
    const KernelWrite write(to, bytes);
    return write.wrote(real::recvfrom(visible(fd), to, bytes, flags, address, address_bytes));
}
// What the compiler makes of calls whose buffer it knows the size of: where libc would end the
// program for too small a one, it must still do so.
COWSCOPE_INTERPOSED ssize_t __read_chk(int fd, void* to, size_t bytes, size_t room) {
    const KernelWrite write(to, bytes <= room ? bytes : 0);
    return write.wrote(real::__read_chk(visible(fd), to, bytes, room));
}
COWSCOPE_INTERPOSED ssize_t __pread64_chk(int fd, void* to, size_t bytes, off_t offset,
                                          size_t room) {
    const KernelWrite write(to, bytes <= room ? bytes : 0);
    return write.wrote(real::__pread64_chk(visible(fd), to, bytes, offset, room));
}
COWSCOPE_INTERPOSED ssize_t __recv_chk(int fd, void* to, size_t bytes, size_t room, int flags) {
    const KernelWrite write(to, bytes <= room ? bytes : 0);
    return write.wrote(real::__recv_chk(visible(fd), to, bytes, room, flags));
}
COWSCOPE_INTERPOSED ssize_t __recvfrom_chk(int fd, void* __restrict to, size_t bytes, size_t room,
                                           int flags, struct sockaddr* __restrict address,
                                           socklen_t* __restrict address_bytes) {
    const KernelWrite write(to, bytes <= room ? bytes : 0);
    return write.wrote(
        real::__recvfrom_chk(visible(fd), to, bytes, room, flags, address, address_bytes));
}
// Other names of the same.
COWSCOPE_INTERPOSED ssize_t preadv64v2(int fd, const struct iovec* to, int count, off_t offset,
                                       int flags) {
    epoch::before_unseen_writes();
    return real::preadv64v2(visible(fd), to, count, offset, flags);
}
COWSCOPE_INTERPOSED ssize_t process_vm_readv(pid_t pid, const struct iovec* to,
                                             unsigned long to_count, const struct iovec* from,
                                             unsigned long from_count,
                                             unsigned long flags) noexcept {
    epoch::before_unseen_writes();
    return real::process_vm_readv(pid, to, to_count, from, from_count, flags);
}
COWSCOPE_INTERPOSED int recvmmsg(int fd, struct mmsghdr* messages, unsigned count, int flags,
                                 struct timespec* timeout) {
    epoch::before_unseen_writes();
    return real::recvmmsg(visible(fd), messages, count, flags, timeout);
}
COWSCOPE_INTERPOSED ssize_t getrandom(void* to, size_t bytes, unsigned flags) {
    const KernelWrite write(to, bytes);
    return write.wrote(real::getrandom(to, bytes, flags));
}
COWSCOPE_INTERPOSED int getentropy(void* to, size_t bytes) {
    const KernelWrite write(to, bytes);
    const int result = real::getentropy(to, bytes);
    if (result == 0) write.wrote(static_cast<ssize_t>(bytes));
    return result;
}
COWSCOPE_INTERPOSED ssize_t readlink(const char* __restrict path, char* __restrict to,
                                     size_t bytes) noexcept {
    const KernelWrite write(to, bytes);
    return write.wrote(
        look(AT_FDCWD, path, [&](const char* at) { return real::readlink(at, to, bytes); }));
}
COWSCOPE_INTERPOSED ssize_t readlinkat(int folder, const char* __restrict path, char* __restrict to,
                                       size_t bytes) noexcept {
    const KernelWrite write(to, bytes);
    return write.wrote(look(folder, path, [&](const char* at) {
        return real::readlinkat(visible(folder), at, to, bytes);
    }));
}
COWSCOPE_INTERPOSED ssize_t __readlink_chk(const char* __restrict path, char* __restrict to,
                                           size_t bytes, size_t room) noexcept {
    const KernelWrite write(to, bytes <= room ? bytes : 0);
    return write.wrote(look(
        AT_FDCWD, path, [&](const char* at) { return real::__readlink_chk(at, to, bytes, room); }));
}
COWSCOPE_INTERPOSED ssize_t __readlinkat_chk(int folder, const char* __restrict path,
                                             char* __restrict to, size_t bytes,
                                             size_t room) noexcept {
    const KernelWrite write(to, bytes <= room ? bytes : 0);
    return write.wrote(look(folder, path, [&](const char* at) {
        return real::__readlinkat_chk(visible(folder), at, to, bytes, room);
    }));
}
// Done by threads of libc's own, later.
COWSCOPE_INTERPOSED int aio_read64(struct aiocb64* request) noexcept {
    epoch::before_unseen_writes();
    if (is_own_descriptor(request->aio_fildes)) {
        errno = EBADF;
        return -1;
    }
    return real::aio_read64(request);
}
COWSCOPE_INTERPOSED int lio_listio64(int mode, struct aiocb64* const requests[], int count,
                                     struct sigevent* event) noexcept {
    epoch::before_unseen_writes();
    return real::lio_listio64(mode, requests, count, event);
}
COWSCOPE_INTERPOSED ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
    epoch::before_unseen_writes();
    return real::recvmsg(visible(fd), message, flags);
}
