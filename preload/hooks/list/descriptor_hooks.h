// Lines of the list (hooks/list.h): functions that take descriptors: to them the shim's own are not
// open.
#pragma once

// descriptors/own_descriptors.cpp
#define COWSCOPE_CLOSE_HOOKS(X)                                           \
    X(HOOK, int, close, (int), SYS_close)                                 \
    X(HOOK, int, close_range, (unsigned, unsigned, int), SYS_close_range) \
    X(HOOK, void, closefrom, (int), kFails)                               \
    X(HOOK, int, dup2, (int, int), kFails)                                \
    X(HOOK, int, dup3, (int, int, int), kFails)                           \
    X(SAME, __close, close)                                               \
    X(SAME, __dup2, dup2)

// descriptors/descriptor_arguments.cpp
#define COWSCOPE_DESCRIPTOR_HOOKS(X)                                                               \
    X(VARIADIC, int, fcntl, (int, int, void*), SYS_fcntl)                                          \
    X(LATE_HOOK, int, aio_write64, (struct aiocb64*), kFails)                                      \
    X(LATE_HOOK, int, aio_fsync64, (int, struct aiocb64*), kFails)                                 \
    X(PASS, int, accept, , (int fd, struct sockaddr* from, socklen_t* bytes), SYS_accept,          \
      (visible(fd), from, bytes))                                                                  \
    X(PASS, int, accept4, , (int fd, struct sockaddr* from, socklen_t* bytes, int flags),          \
      SYS_accept4, (visible(fd), from, bytes, flags))                                              \
    X(PASS, int, bind, noexcept, (int fd, const struct sockaddr* to, socklen_t bytes), SYS_bind,   \
      (visible(fd), to, bytes))                                                                    \
    X(PASS, int, connect, , (int fd, const struct sockaddr* to, socklen_t bytes), SYS_connect,     \
      (visible(fd), to, bytes))                                                                    \
    X(PASS, int, listen, noexcept, (int fd, int length), SYS_listen, (visible(fd), length))        \
    X(PASS, int, shutdown, noexcept, (int fd, int how), SYS_shutdown, (visible(fd), how))          \
    X(PASS, int, setsockopt, noexcept,                                                             \
      (int fd, int level, int option, const void* from, socklen_t bytes), SYS_setsockopt,          \
      (visible(fd), level, option, from, bytes))                                                   \
    X(PASS, int, getsockopt, noexcept,                                                             \
      (int fd, int level, int option, void* to, socklen_t* bytes), SYS_getsockopt,                 \
      (visible(fd), level, option, to, bytes))                                                     \
    X(PASS, int, getpeername, noexcept, (int fd, struct sockaddr* to, socklen_t* bytes),           \
      SYS_getpeername, (visible(fd), to, bytes))                                                   \
    X(PASS, int, getsockname, noexcept, (int fd, struct sockaddr* to, socklen_t* bytes),           \
      SYS_getsockname, (visible(fd), to, bytes))                                                   \
    X(PASS, int, sockatmark, noexcept, (int fd), kFails, (visible(fd)))                            \
    X(PASS, ssize_t, send, , (int fd, const void* from, size_t bytes, int flags), kFails,          \
      (visible(fd), from, bytes, flags))                                                           \
    X(PASS, ssize_t, sendto, ,                                                                     \
      (int fd, const void* from, size_t bytes, int flags, const struct sockaddr* to,               \
       socklen_t to_bytes),                                                                        \
      SYS_sendto, (visible(fd), from, bytes, flags, to, to_bytes))                                 \
    X(PASS, ssize_t, sendmsg, , (int fd, const struct msghdr* message, int flags), SYS_sendmsg,    \
      (visible(fd), message, flags))                                                               \
    X(PASS, int, sendmmsg, , (int fd, struct mmsghdr* messages, unsigned count, int flags),        \
      SYS_sendmmsg, (visible(fd), messages, count, flags))                                         \
    X(PASS, ssize_t, write, , (int fd, const void* from, size_t bytes), SYS_write,                 \
      (visible(fd), from, bytes))                                                                  \
    X(PASS, ssize_t, pwrite64, , (int fd, const void* from, size_t bytes, off64_t offset),         \
      SYS_pwrite64, (visible(fd), from, bytes, offset))                                            \
    X(PASS, ssize_t, writev, , (int fd, const struct iovec* from, int count), SYS_writev,          \
      (visible(fd), from, count))                                                                  \
    X(PASS, ssize_t, pwritev64, , (int fd, const struct iovec* from, int count, off64_t offset),   \
      SYS_pwritev, (visible(fd), from, count, offset))                                             \
    X(PASS, ssize_t, sendfile64, noexcept, (int to, int from, off64_t* offset, size_t bytes),      \
      SYS_sendfile, (visible(to), visible(from), offset, bytes))                                   \
    X(PASS, int, epoll_ctl, noexcept,                                                              \
      (int epoll, int operation, int fd, struct epoll_event* event), SYS_epoll_ctl,                \
      (visible(epoll), operation, visible(fd), event))                                             \
    X(PASS, int, epoll_wait, , (int epoll, struct epoll_event* events, int most, int timeout_ms),  \
      SYS_epoll_wait, (visible(epoll), events, most, timeout_ms))                                  \
    X(PASS, int, dup, noexcept, (int fd), SYS_dup, (visible(fd)))                                  \
    X(PASS, int, fchdir, noexcept, (int fd), SYS_fchdir, (visible(fd)))                            \
    X(PASS, int, fchmod, noexcept, (int fd, mode_t mode), SYS_fchmod, (visible(fd), mode))         \
    X(PASS, int, fchown, noexcept, (int fd, uid_t user, gid_t group), SYS_fchown,                  \
      (visible(fd), user, group))                                                                  \
    X(PASS, int, fdatasync, , (int fd), SYS_fdatasync, (visible(fd)))                              \
    X(PASS, int, flock, noexcept, (int fd, int operation), SYS_flock, (visible(fd), operation))    \
    X(PASS, long, fpathconf, noexcept, (int fd, int name), kFails, (visible(fd), name))            \
    X(PASS, int, fstatfs, noexcept, (int fd, struct statfs* out), SYS_fstatfs, (visible(fd), out)) \
    X(PASS, int, fstatvfs, noexcept, (int fd, struct statvfs* out), kFails, (visible(fd), out))    \
    X(PASS, int, fsync, , (int fd), SYS_fsync, (visible(fd)))                                      \
    X(PASS, int, ftruncate, noexcept, (int fd, off_t length), SYS_ftruncate,                       \
      (visible(fd), length))                                                                       \
    X(PASS, int, futimens, noexcept, (int fd, const struct timespec* times), kFails,               \
      (visible(fd), times))                                                                        \
    X(PASS, int, isatty, noexcept, (int fd), kFails, (visible(fd)))                                \
    X(PASS, off_t, lseek, noexcept, (int fd, off_t offset, int whence), SYS_lseek,                 \
      (visible(fd), offset, whence))                                                               \
    X(PASS, int, tcdrain, , (int fd), kFails, (visible(fd)))                                       \
    X(PASS, int, tcflow, noexcept, (int fd, int action), kFails, (visible(fd), action))            \
    X(PASS, int, tcflush, noexcept, (int fd, int queue), kFails, (visible(fd), queue))             \
    X(PASS, int, tcsendbreak, noexcept, (int fd, int duration), kFails, (visible(fd), duration))   \
    X(PASS, int, tcgetattr, noexcept, (int fd, struct termios* out), kFails, (visible(fd), out))   \
    X(PASS, int, tcsetattr, noexcept, (int fd, int when, const struct termios* settings), kFails,  \
      (visible(fd), when, settings))                                                               \
    X(PASS, pid_t, tcgetpgrp, noexcept, (int fd), kFails, (visible(fd)))                           \
    X(PASS, int, tcsetpgrp, noexcept, (int fd, pid_t group), kFails, (visible(fd), group))         \
    X(PASS, int, posix_fadvise64, noexcept, (int fd, off64_t offset, off64_t bytes, int advice),   \
      kFails, (visible(fd), offset, bytes, advice))                                                \
    X(LATE_PASS, FILE*, fdopen, noexcept, (int fd, const char* mode), kFails, (visible(fd), mode)) \
    X(LATE_PASS, struct __dirstream*, fdopendir, , (int fd), kFails, (visible(fd)))                \
    X(LATE_PASS, int, vdprintf, , (int fd, const char* format, va_list more), kFails,              \
      (visible(fd), format, more))                                                                 \
    X(LATE_PASS, int, __vdprintf_chk, , (int fd, int flag, const char* format, va_list more),      \
      kFails, (visible(fd), flag, format, more))                                                   \
    X(LATE_PASS, char*, ttyname, noexcept, (int fd), kFails, (visible(fd)))                        \
    X(LATE_PASS, int, ttyname_r, noexcept, (int fd, char* to, size_t bytes), kFails,               \
      (visible(fd), to, bytes))                                                                    \
    X(LATE_PASS, int, __ttyname_r_chk, noexcept, (int fd, char* to, size_t bytes, size_t room),    \
      kFails, (visible(fd), to, bytes, room))                                                      \
    X(LATE_PASS, char*, ptsname, noexcept, (int fd), kFails, (visible(fd)))                        \
    X(LATE_PASS, int, ptsname_r, noexcept, (int fd, char* to, size_t bytes), kFails,               \
      (visible(fd), to, bytes))                                                                    \
    X(LATE_PASS, int, __ptsname_r_chk, noexcept, (int fd, char* to, size_t bytes, size_t room),    \
      kFails, (visible(fd), to, bytes, room))                                                      \
    X(LATE_PASS, int, grantpt, noexcept, (int fd), kFails, (visible(fd)))                          \
    X(LATE_PASS, int, unlockpt, noexcept, (int fd), kFails, (visible(fd)))                         \
    X(LATE_PASS, int, login_tty, noexcept, (int fd), kFails, (visible(fd)))                        \
    X(LATE_PASS, pid_t, tcgetsid, noexcept, (int fd), kFails, (visible(fd)))                       \
    X(LATE_PASS, int, lockf, , (int fd, int command, off_t bytes), kFails,                         \
      (visible(fd), command, bytes))                                                               \
    X(LATE_PASS, int, isfdtype, noexcept, (int fd, int type), kFails, (visible(fd), type))         \
    X(LATE_PASS, int, futimes, noexcept, (int fd, const struct timeval* times), kFails,            \
      (visible(fd), times))                                                                        \
    X(LATE_PASS, int, posix_fallocate64, , (int fd, off64_t offset, off64_t bytes), kFails,        \
      (visible(fd), offset, bytes))                                                                \
    X(LATE_PASS, int, fallocate64, , (int fd, int mode, off64_t offset, off64_t bytes),            \
      SYS_fallocate, (visible(fd), mode, offset, bytes))                                           \
    X(LATE_PASS, ssize_t, pwritev64v2, ,                                                           \
      (int fd, const struct iovec* from, int count, off64_t offset, int flags), kFails,            \
      (visible(fd), from, count, offset, flags))                                                   \
    X(LATE_PASS, ssize_t, readahead, noexcept, (int fd, off64_t offset, size_t bytes),             \
      SYS_readahead, (visible(fd), offset, bytes))                                                 \
    X(LATE_PASS, int, sync_file_range, , (int fd, off64_t offset, off64_t bytes, unsigned flags),  \
      SYS_sync_file_range, (visible(fd), offset, bytes, flags))                                    \
    X(LATE_PASS, int, syncfs, noexcept, (int fd), SYS_syncfs, (visible(fd)))                       \
    X(LATE_PASS, ssize_t, splice, ,                                                                \
      (int from, off64_t* from_offset, int to, off64_t* to_offset, size_t bytes, unsigned flags),  \
      SYS_splice, (visible(from), from_offset, visible(to), to_offset, bytes, flags))              \
    X(LATE_PASS, ssize_t, tee, , (int from, int to, size_t bytes, unsigned flags), SYS_tee,        \
      (visible(from), visible(to), bytes, flags))                                                  \
    X(LATE_PASS, ssize_t, vmsplice, ,                                                              \
      (int fd, const struct iovec* from, size_t count, unsigned flags), SYS_vmsplice,              \
      (visible(fd), from, count, flags))                                                           \
    X(LATE_PASS, ssize_t, copy_file_range, ,                                                       \
      (int from, off64_t* from_offset, int to, off64_t* to_offset, size_t bytes, unsigned flags),  \
      SYS_copy_file_range, (visible(from), from_offset, visible(to), to_offset, bytes, flags))     \
    X(LATE_PASS, ssize_t, fgetxattr, noexcept, (int fd, const char* name, void* to, size_t bytes), \
      SYS_fgetxattr, (visible(fd), name, to, bytes))                                               \
    X(LATE_PASS, ssize_t, flistxattr, noexcept, (int fd, char* to, size_t bytes), SYS_flistxattr,  \
      (visible(fd), to, bytes))                                                                    \
    X(LATE_PASS, int, fsetxattr, noexcept,                                                         \
      (int fd, const char* name, const void* from, size_t bytes, int flags), SYS_fsetxattr,        \
      (visible(fd), name, from, bytes, flags))                                                     \
    X(LATE_PASS, int, fremovexattr, noexcept, (int fd, const char* name), SYS_fremovexattr,        \
      (visible(fd), name))                                                                         \
    X(LATE_PASS, int, inotify_rm_watch, noexcept, (int fd, int watch), SYS_inotify_rm_watch,       \
      (visible(fd), watch))                                                                        \
    X(LATE_PASS, int, timerfd_gettime, noexcept, (int fd, struct itimerspec* out),                 \
      SYS_timerfd_gettime, (visible(fd), out))                                                     \
    X(LATE_PASS, int, timerfd_settime, noexcept,                                                   \
      (int fd, int flags, const struct itimerspec* value, struct itimerspec* old),                 \
      SYS_timerfd_settime, (visible(fd), flags, value, old))                                       \
    X(LATE_PASS, int, eventfd_read, , (int fd, uint64_t* value), kFails, (visible(fd), value))     \
    X(LATE_PASS, int, eventfd_write, , (int fd, uint64_t value), kFails, (visible(fd), value))     \
    X(LATE_PASS, int, open_by_handle_at, , (int mount, struct file_handle* handle, int flags),     \
      SYS_open_by_handle_at, (visible(mount), handle, flags))                                      \
    X(LATE_PASS, int, pidfd_getfd, noexcept, (int pidfd, int fd, unsigned flags), SYS_pidfd_getfd, \
      (visible(pidfd), fd, flags))                                                                 \
    X(LATE_PASS, int, pidfd_send_signal, noexcept,                                                 \
      (int pidfd, int signal, siginfo_t* info, unsigned flags), SYS_pidfd_send_signal,             \
      (visible(pidfd), signal, info, flags))                                                       \
    X(LATE_PASS, ssize_t, process_madvise, noexcept,                                               \
      (int pidfd, const struct iovec* ranges, size_t count, int advice, unsigned flags), 440,      \
      (visible(pidfd), ranges, count, advice, flags))                                              \
    X(LATE_PASS, int, process_mrelease, noexcept, (int pidfd, unsigned flags), 448,                \
      (visible(pidfd), flags))                                                                     \
    X(LATE_PASS, int, fsconfig, noexcept,                                                          \
      (int fd, unsigned command, const char* key, const void* value, int more), 431,               \
      (visible(fd), command, key, value, more))                                                    \
    X(LATE_PASS, int, fsmount, noexcept, (int fd, unsigned flags, unsigned attributes), 432,       \
      (visible(fd), flags, attributes))                                                            \
    X(LATE_PASS, int, getipv4sourcefilter, noexcept,                                               \
      (int fd, struct in_addr interface, struct in_addr group, uint32_t* mode, uint32_t* count,    \
       struct in_addr* sources),                                                                   \
      kFails, (visible(fd), interface, group, mode, count, sources))                               \
    X(LATE_PASS, int, setipv4sourcefilter, noexcept,                                               \
      (int fd, struct in_addr interface, struct in_addr group, uint32_t mode, uint32_t count,      \
       const struct in_addr* sources),                                                             \
      kFails, (visible(fd), interface, group, mode, count, sources))                               \
    X(LATE_PASS, int, getsourcefilter, noexcept,                                                   \
      (int fd, uint32_t interface, const struct sockaddr* group, socklen_t bytes, uint32_t* mode,  \
       uint32_t* count, struct sockaddr_storage* sources),                                         \
      kFails, (visible(fd), interface, group, bytes, mode, count, sources))                        \
    X(LATE_PASS, int, setsourcefilter, noexcept,                                                   \
      (int fd, uint32_t interface, const struct sockaddr* group, socklen_t bytes, uint32_t mode,   \
       uint32_t count, const struct sockaddr_storage* sources),                                    \
      kFails, (visible(fd), interface, group, bytes, mode, count, sources))                        \
    X(LATE_PASS, int, bindresvport, noexcept, (int fd, struct sockaddr_in* address), kFails,       \
      (visible(fd), address))                                                                      \
    X(LATE_PASS, int, aio_cancel64, noexcept, (int fd, struct aiocb64* request), kFails,           \
      (visible(fd), request))                                                                      \
    X(SAME, fcntl64, fcntl)                                                                        \
    X(SAME, __fcntl, fcntl)                                                                        \
    X(SAME, ftruncate64, ftruncate)                                                                \
    X(SAME, lseek64, lseek)                                                                        \
    X(SAME, __lseek, lseek)                                                                        \
    X(SAME, llseek, lseek)                                                                         \
    X(SAME, fstatfs64, fstatfs)                                                                    \
    X(SAME, fstatvfs64, fstatvfs)                                                                  \
    X(SAME, __connect, connect)                                                                    \
    X(SAME, __send, send)                                                                          \
    X(SAME, __write, write)                                                                        \
    X(SAME, pwrite, pwrite64)                                                                      \
    X(SAME, __pwrite64, pwrite64)                                                                  \
    X(SAME, pwritev, pwritev64)                                                                    \
    X(SAME, pwritev2, pwritev64v2)                                                                 \
    X(SAME, sendfile, sendfile64)                                                                  \
    X(SAME, fallocate, fallocate64)                                                                \
    X(SAME, posix_fallocate, posix_fallocate64)                                                    \
    X(SAME, posix_fadvise, posix_fadvise64)                                                        \
    X(SAME, lockf64, lockf)                                                                        \
    X(SAME, aio_write, aio_write64)                                                                \
    X(SAME, aio_fsync, aio_fsync64)                                                                \
    X(SAME, aio_cancel, aio_cancel64)                                                              \
    X(OWN, dprintf)                                                                                \
    X(OWN, __dprintf_chk)

// descriptors/poll_and_select.cpp
#define COWSCOPE_WAIT_FOR_DESCRIPTORS_HOOKS(X)                                      \
    X(HOOK, int, poll, (struct pollfd*, nfds_t, int), kFails)                       \
    X(HOOK, int, __poll_chk, (struct pollfd*, nfds_t, int, size_t), kFails)         \
    X(HOOK, int, select, (int, fd_set*, fd_set*, fd_set*, struct timeval*), kFails) \
    X(SAME, __poll, poll)                                                           \
    X(SAME, __select, select)
