// The lists of hidden_descriptors.cpp: functions of libc with a descriptor among their arguments
// (stand_in.h).
#pragma once

struct __dirstream;
struct mount_attr;
struct file_handle;

// Of those that may be called in a signal's handler, and of those that are often called.
#define COWSCOPE_DESCRIPTOR_FUNCTIONS(X)                                                           \
    X(int, accept, , (int fd, struct sockaddr* from, socklen_t* bytes), SYS_accept,                \
      (visible(fd), from, bytes))                                                                  \
    X(int, accept4, , (int fd, struct sockaddr* from, socklen_t* bytes, int flags), SYS_accept4,   \
      (visible(fd), from, bytes, flags))                                                           \
    X(int, bind, noexcept, (int fd, const struct sockaddr* to, socklen_t bytes), SYS_bind,         \
      (visible(fd), to, bytes))                                                                    \
    X(int, connect, , (int fd, const struct sockaddr* to, socklen_t bytes), SYS_connect,           \
      (visible(fd), to, bytes))                                                                    \
    X(int, listen, noexcept, (int fd, int length), SYS_listen, (visible(fd), length))              \
    X(int, shutdown, noexcept, (int fd, int how), SYS_shutdown, (visible(fd), how))                \
    X(int, setsockopt, noexcept,                                                                   \
      (int fd, int level, int option, const void* from, socklen_t bytes), SYS_setsockopt,          \
      (visible(fd), level, option, from, bytes))                                                   \
    X(int, getsockopt, noexcept, (int fd, int level, int option, void* to, socklen_t* bytes),      \
      SYS_getsockopt, (visible(fd), level, option, to, bytes))                                     \
    X(int, getpeername, noexcept, (int fd, struct sockaddr* to, socklen_t* bytes),                 \
      SYS_getpeername, (visible(fd), to, bytes))                                                   \
    X(int, getsockname, noexcept, (int fd, struct sockaddr* to, socklen_t* bytes),                 \
      SYS_getsockname, (visible(fd), to, bytes))                                                   \
    X(int, sockatmark, noexcept, (int fd), kNoCall, (visible(fd)))                                 \
    X(ssize_t, send, , (int fd, const void* from, size_t bytes, int flags), kNoCall,               \
      (visible(fd), from, bytes, flags))                                                           \
    X(ssize_t, sendto, ,                                                                           \
      (int fd, const void* from, size_t bytes, int flags, const struct sockaddr* to,               \
       socklen_t to_bytes),                                                                        \
      SYS_sendto, (visible(fd), from, bytes, flags, to, to_bytes))                                 \
    X(ssize_t, sendmsg, , (int fd, const struct msghdr* message, int flags), SYS_sendmsg,          \
      (visible(fd), message, flags))                                                               \
    X(int, sendmmsg, , (int fd, struct mmsghdr* messages, unsigned count, int flags),              \
      SYS_sendmmsg, (visible(fd), messages, count, flags))                                         \
    X(ssize_t, write, , (int fd, const void* from, size_t bytes), SYS_write,                       \
      (visible(fd), from, bytes))                                                                  \
    X(ssize_t, pwrite64, , (int fd, const void* from, size_t bytes, off64_t offset), SYS_pwrite64, \
      (visible(fd), from, bytes, offset))                                                          \
    X(ssize_t, writev, , (int fd, const struct iovec* from, int count), SYS_writev,                \
      (visible(fd), from, count))                                                                  \
    X(ssize_t, pwritev64, , (int fd, const struct iovec* from, int count, off64_t offset),         \
      SYS_pwritev, (visible(fd), from, count, offset))                                             \
    X(ssize_t, sendfile64, noexcept, (int to, int from, off64_t* offset, size_t bytes),            \
      SYS_sendfile, (visible(to), visible(from), offset, bytes))                                   \
    X(int, epoll_ctl, noexcept, (int epoll, int operation, int fd, struct epoll_event* event),     \
      SYS_epoll_ctl, (visible(epoll), operation, visible(fd), event))                              \
    X(int, epoll_wait, , (int epoll, struct epoll_event* events, int most, int timeout_ms),        \
      SYS_epoll_wait, (visible(epoll), events, most, timeout_ms))                                  \
    X(int, dup, noexcept, (int fd), SYS_dup, (visible(fd)))                                        \
    X(int, fchdir, noexcept, (int fd), SYS_fchdir, (visible(fd)))                                  \
    X(int, fchmod, noexcept, (int fd, mode_t mode), SYS_fchmod, (visible(fd), mode))               \
    X(int, fchown, noexcept, (int fd, uid_t user, gid_t group), SYS_fchown,                        \
      (visible(fd), user, group))                                                                  \
    X(int, fdatasync, , (int fd), SYS_fdatasync, (visible(fd)))                                    \
    X(int, flock, noexcept, (int fd, int operation), SYS_flock, (visible(fd), operation))          \
    X(long, fpathconf, noexcept, (int fd, int name), kNoCall, (visible(fd), name))                 \
    X(int, fstatfs, noexcept, (int fd, struct statfs* out), SYS_fstatfs, (visible(fd), out))       \
    X(int, fstatvfs, noexcept, (int fd, struct statvfs* out), kNoCall, (visible(fd), out))         \
    X(int, fsync, , (int fd), SYS_fsync, (visible(fd)))                                            \
    X(int, ftruncate, noexcept, (int fd, off_t length), SYS_ftruncate, (visible(fd), length))      \
    X(int, futimens, noexcept, (int fd, const struct timespec* times), kNoCall,                    \
      (visible(fd), times))                                                                        \
    X(int, isatty, noexcept, (int fd), kNoCall, (visible(fd)))                                     \
    X(off_t, lseek, noexcept, (int fd, off_t offset, int whence), SYS_lseek,                       \
      (visible(fd), offset, whence))                                                               \
    X(int, tcdrain, , (int fd), kNoCall, (visible(fd)))                                            \
    X(int, tcflow, noexcept, (int fd, int action), kNoCall, (visible(fd), action))                 \
    X(int, tcflush, noexcept, (int fd, int queue), kNoCall, (visible(fd), queue))                  \
    X(int, tcsendbreak, noexcept, (int fd, int duration), kNoCall, (visible(fd), duration))        \
    X(int, tcgetattr, noexcept, (int fd, struct termios* out), kNoCall, (visible(fd), out))        \
    X(int, tcsetattr, noexcept, (int fd, int when, const struct termios* settings), kNoCall,       \
      (visible(fd), when, settings))                                                               \
    X(pid_t, tcgetpgrp, noexcept, (int fd), kNoCall, (visible(fd)))                                \
    X(int, tcsetpgrp, noexcept, (int fd, pid_t group), kNoCall, (visible(fd), group))              \
    X(int, posix_fadvise64, noexcept, (int fd, off64_t offset, off64_t bytes, int advice),         \
      kNoCall, (visible(fd), offset, bytes, advice))

#define COWSCOPE_RARE_DESCRIPTOR_FUNCTIONS(X)                                                     \
    X(FILE*, fdopen, noexcept, (int fd, const char* mode), kNoCall, (visible(fd), mode))          \
    X(struct __dirstream*, fdopendir, , (int fd), kNoCall, (visible(fd)))                         \
    X(int, vdprintf, , (int fd, const char* format, va_list more), kNoCall,                       \
      (visible(fd), format, more))                                                                \
    X(int, __vdprintf_chk, , (int fd, int flag, const char* format, va_list more), kNoCall,       \
      (visible(fd), flag, format, more))                                                          \
    X(char*, ttyname, noexcept, (int fd), kNoCall, (visible(fd)))                                 \
    X(int, ttyname_r, noexcept, (int fd, char* to, size_t bytes), kNoCall,                        \
      (visible(fd), to, bytes))                                                                   \
    X(int, __ttyname_r_chk, noexcept, (int fd, char* to, size_t bytes, size_t room), kNoCall,     \
      (visible(fd), to, bytes, room))                                                             \
    X(char*, ptsname, noexcept, (int fd), kNoCall, (visible(fd)))                                 \
    X(int, ptsname_r, noexcept, (int fd, char* to, size_t bytes), kNoCall,                        \
      (visible(fd), to, bytes))                                                                   \
    X(int, __ptsname_r_chk, noexcept, (int fd, char* to, size_t bytes, size_t room), kNoCall,     \
      (visible(fd), to, bytes, room))                                                             \
    X(int, grantpt, noexcept, (int fd), kNoCall, (visible(fd)))                                   \
    X(int, unlockpt, noexcept, (int fd), kNoCall, (visible(fd)))                                  \
    X(int, login_tty, noexcept, (int fd), kNoCall, (visible(fd)))                                 \
    X(pid_t, tcgetsid, noexcept, (int fd), kNoCall, (visible(fd)))                                \
    X(int, lockf, , (int fd, int command, off_t bytes), kNoCall, (visible(fd), command, bytes))   \
    X(int, isfdtype, noexcept, (int fd, int type), kNoCall, (visible(fd), type))                  \
    X(int, futimes, noexcept, (int fd, const struct timeval* times), kNoCall,                     \
      (visible(fd), times))                                                                       \
    X(int, posix_fallocate64, , (int fd, off64_t offset, off64_t bytes), kNoCall,                 \
      (visible(fd), offset, bytes))                                                               \
    X(int, fallocate64, , (int fd, int mode, off64_t offset, off64_t bytes), SYS_fallocate,       \
      (visible(fd), mode, offset, bytes))                                                         \
    X(ssize_t, pwritev64v2, ,                                                                     \
      (int fd, const struct iovec* from, int count, off64_t offset, int flags), kNoCall,          \
      (visible(fd), from, count, offset, flags))                                                  \
    X(ssize_t, readahead, noexcept, (int fd, off64_t offset, size_t bytes), SYS_readahead,        \
      (visible(fd), offset, bytes))                                                               \
    X(int, sync_file_range, , (int fd, off64_t offset, off64_t bytes, unsigned flags),            \
      SYS_sync_file_range, (visible(fd), offset, bytes, flags))                                   \
    X(int, syncfs, noexcept, (int fd), SYS_syncfs, (visible(fd)))                                 \
    X(ssize_t, splice, ,                                                                          \
      (int from, off64_t* from_offset, int to, off64_t* to_offset, size_t bytes, unsigned flags), \
      SYS_splice, (visible(from), from_offset, visible(to), to_offset, bytes, flags))             \
    X(ssize_t, tee, , (int from, int to, size_t bytes, unsigned flags), SYS_tee,                  \
      (visible(from), visible(to), bytes, flags))                                                 \
    X(ssize_t, vmsplice, , (int fd, const struct iovec* from, size_t count, unsigned flags),      \
      SYS_vmsplice, (visible(fd), from, count, flags))                                            \
    X(ssize_t, copy_file_range, ,                                                                 \
      (int from, off64_t* from_offset, int to, off64_t* to_offset, size_t bytes, unsigned flags), \
      SYS_copy_file_range, (visible(from), from_offset, visible(to), to_offset, bytes, flags))    \
    X(ssize_t, fgetxattr, noexcept, (int fd, const char* name, void* to, size_t bytes),           \
      SYS_fgetxattr, (visible(fd), name, to, bytes))                                              \
    X(ssize_t, flistxattr, noexcept, (int fd, char* to, size_t bytes), SYS_flistxattr,            \
      (visible(fd), to, bytes))                                                                   \
    X(int, fsetxattr, noexcept,                                                                   \
      (int fd, const char* name, const void* from, size_t bytes, int flags), SYS_fsetxattr,       \
      (visible(fd), name, from, bytes, flags))                                                    \
    X(int, fremovexattr, noexcept, (int fd, const char* name), SYS_fremovexattr,                  \
      (visible(fd), name))                                                                        \
    X(int, inotify_rm_watch, noexcept, (int fd, int watch), SYS_inotify_rm_watch,                 \
      (visible(fd), watch))                                                                       \
    X(int, timerfd_gettime, noexcept, (int fd, struct itimerspec* out), SYS_timerfd_gettime,      \
      (visible(fd), out))                                                                         \
    X(int, timerfd_settime, noexcept,                                                             \
      (int fd, int flags, const struct itimerspec* value, struct itimerspec* old),                \
      SYS_timerfd_settime, (visible(fd), flags, value, old))                                      \
    X(int, eventfd_read, , (int fd, uint64_t* value), kNoCall, (visible(fd), value))              \
    X(int, eventfd_write, , (int fd, uint64_t value), kNoCall, (visible(fd), value))              \
    X(int, open_by_handle_at, , (int mount, struct file_handle* handle, int flags),               \
      SYS_open_by_handle_at, (visible(mount), handle, flags))                                     \
    X(int, pidfd_getfd, noexcept, (int pidfd, int fd, unsigned flags), SYS_pidfd_getfd,           \
      (visible(pidfd), fd, flags))                                                                \
    X(int, pidfd_send_signal, noexcept, (int pidfd, int signal, siginfo_t* info, unsigned flags), \
      SYS_pidfd_send_signal, (visible(pidfd), signal, info, flags))                               \
    X(ssize_t, process_madvise, noexcept,                                                         \
      (int pidfd, const struct iovec* ranges, size_t count, int advice, unsigned flags), 440,     \
      (visible(pidfd), ranges, count, advice, flags))                                             \
    X(int, process_mrelease, noexcept, (int pidfd, unsigned flags), 448, (visible(pidfd), flags)) \
    X(int, fsconfig, noexcept,                                                                    \
      (int fd, unsigned command, const char* key, const void* value, int more), 431,              \
      (visible(fd), command, key, value, more))                                                   \
    X(int, fsmount, noexcept, (int fd, unsigned flags, unsigned attributes), 432,                 \
      (visible(fd), flags, attributes))                                                           \
    X(int, getipv4sourcefilter, noexcept,                                                         \
      (int fd, struct in_addr interface, struct in_addr group, uint32_t* mode, uint32_t* count,   \
       struct in_addr* sources),                                                                  \
      kNoCall, (visible(fd), interface, group, mode, count, sources))                             \
    X(int, setipv4sourcefilter, noexcept,                                                         \
      (int fd, struct in_addr interface, struct in_addr group, uint32_t mode, uint32_t count,     \
       const struct in_addr* sources),                                                            \
      kNoCall, (visible(fd), interface, group, mode, count, sources))                             \
    X(int, getsourcefilter, noexcept,                                                             \
      (int fd, uint32_t interface, const struct sockaddr* group, socklen_t bytes, uint32_t* mode, \
       uint32_t* count, struct sockaddr_storage* sources),                                        \
      kNoCall, (visible(fd), interface, group, bytes, mode, count, sources))                      \
    X(int, setsourcefilter, noexcept,                                                             \
      (int fd, uint32_t interface, const struct sockaddr* group, socklen_t bytes, uint32_t mode,  \
       uint32_t count, const struct sockaddr_storage* sources),                                   \
      kNoCall, (visible(fd), interface, group, bytes, mode, count, sources))                      \
    X(int, bindresvport, noexcept, (int fd, struct sockaddr_in* address), kNoCall,                \
      (visible(fd), address))                                                                     \
    X(int, aio_cancel64, noexcept, (int fd, struct aiocb64* request), kNoCall,                    \
      (visible(fd), request))
