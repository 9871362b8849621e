// The system calls that ask about descriptors, or about paths that may lead to one.
#pragma once

#include <sys/syscall.h>

#include <cstdint>

namespace cowscope::hooks {

// Which arguments of a system call are descriptors and which are paths: bit n for the n-th.
struct AskedFor {
    uint8_t descriptors;
    uint8_t paths;
    bool paths_are_from_folders;  // each from the descriptor before it on
};

inline constexpr unsigned long kKnownCalls = 512;

// Those that older headers do not name have numbers.
inline constexpr unsigned long kOfDescriptor[] = {
    SYS_read,
    SYS_write,
    SYS_fstat,
    SYS_lseek,
    SYS_ioctl,
    SYS_pread64,
    SYS_pwrite64,
    SYS_readv,
    SYS_writev,
    SYS_dup,
    SYS_sendto,
    SYS_recvfrom,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendmmsg,
    SYS_recvmmsg,
    SYS_shutdown,
    SYS_bind,
    SYS_listen,
    SYS_connect,
    SYS_accept,
    SYS_accept4,
    SYS_getsockname,
    SYS_getpeername,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_fcntl,
    SYS_flock,
    SYS_fsync,
    SYS_fdatasync,
    SYS_ftruncate,
    SYS_getdents,
    SYS_getdents64,
    SYS_fchdir,
    SYS_fchmod,
    SYS_fchown,
    SYS_fstatfs,
    SYS_readahead,
    SYS_fgetxattr,
    SYS_fsetxattr,
    SYS_flistxattr,
    SYS_fremovexattr,
    SYS_fadvise64,
    SYS_epoll_wait,
    SYS_epoll_pwait,
    SYS_inotify_rm_watch,
    SYS_vmsplice,
    SYS_sync_file_range,
    SYS_preadv,
    SYS_pwritev,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_signalfd,
    SYS_signalfd4,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_fallocate,
    SYS_syncfs,
    SYS_setns,
    SYS_open_by_handle_at,
    SYS_close,
    SYS_finit_module,
    SYS_dup2,
    SYS_dup3,
    424 /* pidfd_send_signal */,
    426 /* io_uring_enter */,
    427 /* io_uring_register */,
    431 /* fsconfig */,
    432 /* fsmount */,
    438 /* pidfd_getfd */,
    440 /* process_madvise */,
    441 /* epoll_pwait2 */,
    448 /* process_mrelease */,
    451 /* cachestat */,
};
inline constexpr unsigned long kOfPath[] = {
    SYS_open,        SYS_stat,         SYS_lstat,    SYS_access,    SYS_chdir,     SYS_mkdir,
    SYS_rmdir,       SYS_creat,        SYS_unlink,   SYS_readlink,  SYS_chmod,     SYS_chown,
    SYS_lchown,      SYS_utime,        SYS_mknod,    SYS_statfs,    SYS_truncate,  SYS_utimes,
    SYS_setxattr,    SYS_lsetxattr,    SYS_getxattr, SYS_lgetxattr, SYS_listxattr, SYS_llistxattr,
    SYS_removexattr, SYS_lremovexattr, SYS_execve,
};
// Of a path behind the folder that it begins in.
inline constexpr unsigned long kOfPathFromFolder[] = {
    SYS_openat,
    SYS_mkdirat,
    SYS_mknodat,
    SYS_fchownat,
    SYS_futimesat,
    SYS_newfstatat,
    SYS_unlinkat,
    SYS_readlinkat,
    SYS_fchmodat,
    SYS_faccessat,
    SYS_utimensat,
    SYS_name_to_handle_at,
    SYS_statx,
    SYS_execveat,
    428 /* open_tree */,
    433 /* fspick */,
    437 /* openat2 */,
    439 /* faccessat2 */,
    442 /* mount_setattr */,
    452 /* fchmodat2 */,
};
struct OtherCall {
    unsigned long number;
    AskedFor asked;
};
inline constexpr OtherCall kOthers[] = {
    {SYS_sendfile, {3, 0, false}},
    {SYS_splice, {5, 0, false}},
    {SYS_tee, {3, 0, false}},
    {SYS_copy_file_range, {5, 0, false}},
    {SYS_epoll_ctl, {5, 0, false}},
    {SYS_mmap, {16, 0, false}},
    {SYS_rename, {0, 3, false}},
    {SYS_link, {0, 3, false}},
    {SYS_symlink, {0, 2, false}},
    {SYS_symlinkat, {2, 4, true}},
    {SYS_linkat, {5, 10, true}},
    {SYS_renameat, {5, 10, true}},
    {SYS_renameat2, {5, 10, true}},
    {429 /* move_mount */, {5, 10, true}},
    {SYS_inotify_add_watch, {1, 2, false}},
    {SYS_fanotify_mark, {9, 16, true}},
};

struct AskingCalls {
    AskedFor calls[kKnownCalls] = {};
};
constexpr AskingCalls make_asking_calls() {
    AskingCalls table;
    for (const unsigned long number : kOfDescriptor) table.calls[number] = {1, 0, false};
    for (const unsigned long number : kOfPath) table.calls[number] = {0, 1, false};
    for (const unsigned long number : kOfPathFromFolder) table.calls[number] = {1, 2, true};
    for (const OtherCall& other : kOthers) table.calls[other.number] = other.asked;
    return table;
}

inline constexpr AskingCalls kAskingCalls = make_asking_calls();

// Those of many descriptors at once, or of what a folder lists, are known besides.
constexpr bool is_asking_call(unsigned long number) {
    if (number >= kKnownCalls) return false;
    const AskedFor& asked = kAskingCalls.calls[number];
    return asked.descriptors != 0 || asked.paths != 0 || number == SYS_poll ||
           number == SYS_select || number == SYS_close_range;
}

}  // namespace cowscope::hooks
