// Functions of libc that take a descriptor: to them the shim's are not open (own_descriptors.h).
// Only a process that has forked has any. Those that read are in memory/read_and_recv.cpp, those
// that wait in poll_and_select.cpp and signals/masked_waits.cpp, those that take a path as well in
// path_arguments.cpp.
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
#include "hooks/define_hooks.h"
#include "hooks/descriptors/own_descriptors.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

// libc gives the number to the kernel later, in a thread of its own.
bool hides(int fd) {
    if (!is_own_descriptor(fd)) return false;
    errno = EBADF;
    return true;
}

}  // namespace

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_DESCRIPTOR_HOOKS(COWSCOPE_DEFINE)

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
    return real::fcntl(visible(fd), command, argument);
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
    return real::aio_write64(request);
}
COWSCOPE_INTERPOSED int aio_fsync64(int operation, struct aiocb64* request) noexcept {
    if (hides(request->aio_fildes)) return -1;
    return real::aio_fsync64(operation, request);
}
