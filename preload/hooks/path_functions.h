// The lists of hidden_paths.cpp: functions of libc with a path among their arguments (stand_in.h).
#pragma once

struct file_handle;
struct mount_attr;

// Of those that may be called in a signal's handler, and of those that are often called.
#define COWSCOPE_PATH_FUNCTIONS(X)                                                                 \
    X(int, chmod, noexcept, (const char* path, mode_t mode), SYS_chmod,                            \
      (visible_path(path), mode))                                                                  \
    X(int, chown, noexcept, (const char* path, uid_t user, gid_t group), SYS_chown,                \
      (visible_path(path), user, group))                                                           \
    X(int, lchown, noexcept, (const char* path, uid_t user, gid_t group), SYS_lchown,              \
      (visible_path(path), user, group))                                                           \
    X(int, chdir, noexcept, (const char* path), SYS_chdir, (visible_path(path)))                   \
    X(int, creat, , (const char* path, mode_t mode), SYS_creat, (visible_path(path), mode))        \
    X(int, fchmodat, noexcept, (int folder, const char* path, mode_t mode, int flags), kNoCall,    \
      (visible(folder), visible_path(folder, path), mode, flags))                                  \
    X(int, fchownat, noexcept, (int folder, const char* path, uid_t user, gid_t group, int flags), \
      SYS_fchownat, (visible(folder), visible_path(folder, path), user, group, flags))             \
    X(int, link, noexcept, (const char* from, const char* to), SYS_link,                           \
      (visible_path(from), visible_path(to)))                                                      \
    X(int, linkat, noexcept,                                                                       \
      (int from_folder, const char* from, int to_folder, const char* to, int flags), SYS_linkat,   \
      (visible(from_folder), visible_path(from_folder, from), visible(to_folder),                  \
       visible_path(to_folder, to), flags))                                                        \
    X(int, symlink, noexcept, (const char* target, const char* path), SYS_symlink,                 \
      (target, visible_path(path)))                                                                \
    X(int, symlinkat, noexcept, (const char* target, int folder, const char* path), SYS_symlinkat, \
      (target, visible(folder), visible_path(folder, path)))                                       \
    X(int, mkdir, noexcept, (const char* path, mode_t mode), SYS_mkdir,                            \
      (visible_path(path), mode))                                                                  \
    X(int, mkdirat, noexcept, (int folder, const char* path, mode_t mode), SYS_mkdirat,            \
      (visible(folder), visible_path(folder, path), mode))                                         \
    X(int, mkfifo, noexcept, (const char* path, mode_t mode), kNoCall, (visible_path(path), mode)) \
    X(int, mkfifoat, noexcept, (int folder, const char* path, mode_t mode), kNoCall,               \
      (visible(folder), visible_path(folder, path), mode))                                         \
    X(int, rename, noexcept, (const char* from, const char* to), SYS_rename,                       \
      (visible_path(from), visible_path(to)))                                                      \
    X(int, renameat, noexcept, (int from_folder, const char* from, int to_folder, const char* to), \
      SYS_renameat,                                                                                \
      (visible(from_folder), visible_path(from_folder, from), visible(to_folder),                  \
       visible_path(to_folder, to)))                                                               \
    X(int, rmdir, noexcept, (const char* path), SYS_rmdir, (visible_path(path)))                   \
    X(int, truncate, noexcept, (const char* path, off_t length), SYS_truncate,                     \
      (visible_path(path), length))                                                                \
    X(int, unlink, noexcept, (const char* path), SYS_unlink, (visible_path(path)))                 \
    X(int, unlinkat, noexcept, (int folder, const char* path, int flags), SYS_unlinkat,            \
      (visible(folder), visible_path(folder, path), flags))                                        \
    X(int, utime, noexcept, (const char* path, const struct utimbuf* times), SYS_utime,            \
      (visible_path(path), times))                                                                 \
    X(int, utimes, noexcept, (const char* path, const struct timeval* times), SYS_utimes,          \
      (visible_path(path), times))                                                                 \
    X(int, utimensat, noexcept,                                                                    \
      (int folder, const char* path, const struct timespec* times, int flags), SYS_utimensat,      \
      (visible(folder), visible_path(folder, path), times, flags))

#define COWSCOPE_RARE_PATH_FUNCTIONS(X)                                                            \
    X(FILE*, freopen, , (const char* path, const char* mode, FILE* stream), kNoCall,               \
      (visible_path(path), mode, stream))                                                          \
    X(int, lchmod, noexcept, (const char* path, mode_t mode), kNoCall, (visible_path(path), mode)) \
    X(int, mknod, noexcept, (const char* path, mode_t mode, dev_t device), SYS_mknod,              \
      (visible_path(path), mode, device))                                                          \
    X(int, mknodat, noexcept, (int folder, const char* path, mode_t mode, dev_t device),           \
      SYS_mknodat, (visible(folder), visible_path(folder, path), mode, device))                    \
    X(int, __xmknod, noexcept, (int version, const char* path, mode_t mode, dev_t* device),        \
      kNoCall, (version, visible_path(path), mode, device))                                        \
    X(int, __xmknodat, noexcept,                                                                   \
      (int version, int folder, const char* path, mode_t mode, dev_t* device), kNoCall,            \
      (version, visible(folder), visible_path(folder, path), mode, device))                        \
    X(int, renameat2, noexcept,                                                                    \
      (int from_folder, const char* from, int to_folder, const char* to, unsigned flags),          \
      SYS_renameat2,                                                                               \
      (visible(from_folder), visible_path(from_folder, from), visible(to_folder),                  \
       visible_path(to_folder, to), flags))                                                        \
    X(int, remove, noexcept, (const char* path), kNoCall, (visible_path(path)))                    \
    X(int, lutimes, noexcept, (const char* path, const struct timeval* times), kNoCall,            \
      (visible_path(path), times))                                                                 \
    X(int, futimesat, noexcept, (int folder, const char* path, const struct timeval* times),       \
      SYS_futimesat, (visible(folder), visible_path(folder, path), times))                         \
    X(int, eaccess, noexcept, (const char* path, int mode), kNoCall, (visible_path(path), mode))   \
    X(int, euidaccess, noexcept, (const char* path, int mode), kNoCall,                            \
      (visible_path(path), mode))                                                                  \
    X(long, pathconf, noexcept, (const char* path, int name), kNoCall, (visible_path(path), name)) \
    X(int, statfs, noexcept, (const char* path, struct statfs* out), SYS_statfs,                   \
      (visible_path(path), out))                                                                   \
    X(int, statvfs, noexcept, (const char* path, struct statvfs* out), kNoCall,                    \
      (visible_path(path), out))                                                                   \
    X(ssize_t, getxattr, noexcept, (const char* path, const char* name, void* to, size_t bytes),   \
      SYS_getxattr, (visible_path(path), name, to, bytes))                                         \
    X(ssize_t, lgetxattr, noexcept, (const char* path, const char* name, void* to, size_t bytes),  \
      SYS_lgetxattr, (visible_path(path), name, to, bytes))                                        \
    X(ssize_t, listxattr, noexcept, (const char* path, char* to, size_t bytes), SYS_listxattr,     \
      (visible_path(path), to, bytes))                                                             \
    X(ssize_t, llistxattr, noexcept, (const char* path, char* to, size_t bytes), SYS_llistxattr,   \
      (visible_path(path), to, bytes))                                                             \
    X(int, setxattr, noexcept,                                                                     \
      (const char* path, const char* name, const void* from, size_t bytes, int flags),             \
      SYS_setxattr, (visible_path(path), name, from, bytes, flags))                                \
    X(int, lsetxattr, noexcept,                                                                    \
      (const char* path, const char* name, const void* from, size_t bytes, int flags),             \
      SYS_lsetxattr, (visible_path(path), name, from, bytes, flags))                               \
    X(int, removexattr, noexcept, (const char* path, const char* name), SYS_removexattr,           \
      (visible_path(path), name))                                                                  \
    X(int, lremovexattr, noexcept, (const char* path, const char* name), SYS_lremovexattr,         \
      (visible_path(path), name))                                                                  \
    X(char*, realpath, noexcept, (const char* path, char* to), kNoCall, (visible_path(path), to))  \
    X(char*, __realpath_chk, noexcept, (const char* path, char* to, size_t room), kNoCall,         \
      (visible_path(path), to, room))                                                              \
    X(char*, canonicalize_file_name, noexcept, (const char* path), kNoCall, (visible_path(path)))  \
    X(int, inotify_add_watch, noexcept, (int fd, const char* path, uint32_t mask),                 \
      SYS_inotify_add_watch, (visible(fd), visible_path(path), mask))                              \
    X(int, fanotify_mark, noexcept,                                                                \
      (int fd, unsigned flags, uint64_t mask, int folder, const char* path), SYS_fanotify_mark,    \
      (visible(fd), flags, mask, visible(folder), visible_path(folder, path)))                     \
    X(int, name_to_handle_at, noexcept,                                                            \
      (int folder, const char* path, struct file_handle* handle, int* mount, int flags),           \
      SYS_name_to_handle_at, (visible(folder), visible_path(folder, path), handle, mount, flags))  \
    X(int, open_tree, noexcept, (int folder, const char* path, unsigned flags), 428,               \
      (visible(folder), visible_path(folder, path), flags))                                        \
    X(int, move_mount, noexcept,                                                                   \
      (int from_folder, const char* from, int to_folder, const char* to, unsigned flags), 429,     \
      (visible(from_folder), visible_path(from_folder, from), visible(to_folder),                  \
       visible_path(to_folder, to), flags))                                                        \
    X(int, fspick, noexcept, (int folder, const char* path, unsigned flags), 433,                  \
      (visible(folder), visible_path(folder, path), flags))                                        \
    X(int, mount_setattr, noexcept,                                                                \
      (int folder, const char* path, unsigned flags, struct mount_attr* attributes, size_t bytes), \
      442, (visible(folder), visible_path(folder, path), flags, attributes, bytes))                \
    X(key_t, ftok, noexcept, (const char* path, int number), kNoCall, (visible_path(path), number))
