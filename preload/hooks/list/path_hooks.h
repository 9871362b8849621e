// Lines of the list (hooks/list.h): functions that take paths or list folders: none leads to the
// shim's own descriptors.
#pragma once

// descriptors/path_arguments.cpp
#define COWSCOPE_PATH_HOOKS(X)                                                                     \
    X(PASS, int, chmod, noexcept, (const char* path, mode_t mode), SYS_chmod,                      \
      (visible_path(path), mode))                                                                  \
    X(PASS, int, chown, noexcept, (const char* path, uid_t user, gid_t group), SYS_chown,          \
      (visible_path(path), user, group))                                                           \
    X(PASS, int, lchown, noexcept, (const char* path, uid_t user, gid_t group), SYS_lchown,        \
      (visible_path(path), user, group))                                                           \
    X(PASS, int, chdir, noexcept, (const char* path), SYS_chdir, (visible_path(path)))             \
    X(PASS, int, creat, , (const char* path, mode_t mode), SYS_creat, (visible_path(path), mode))  \
    X(PASS, int, fchmodat, noexcept, (int folder, const char* path, mode_t mode, int flags),       \
      kFails, (visible(folder), visible_path(folder, path), mode, flags))                          \
    X(PASS, int, fchownat, noexcept,                                                               \
      (int folder, const char* path, uid_t user, gid_t group, int flags), SYS_fchownat,            \
      (visible(folder), visible_path(folder, path), user, group, flags))                           \
    X(PASS, int, link, noexcept, (const char* from, const char* to), SYS_link,                     \
      (visible_path(from), visible_path(to)))                                                      \
    X(PASS, int, linkat, noexcept,                                                                 \
      (int from_folder, const char* from, int to_folder, const char* to, int flags), SYS_linkat,   \
      (visible(from_folder), visible_path(from_folder, from), visible(to_folder),                  \
       visible_path(to_folder, to), flags))                                                        \
    X(PASS, int, symlink, noexcept, (const char* target, const char* path), SYS_symlink,           \
      (target, visible_path(path)))                                                                \
    X(PASS, int, symlinkat, noexcept, (const char* target, int folder, const char* path),          \
      SYS_symlinkat, (target, visible(folder), visible_path(folder, path)))                        \
    X(PASS, int, mkdir, noexcept, (const char* path, mode_t mode), SYS_mkdir,                      \
      (visible_path(path), mode))                                                                  \
    X(PASS, int, mkdirat, noexcept, (int folder, const char* path, mode_t mode), SYS_mkdirat,      \
      (visible(folder), visible_path(folder, path), mode))                                         \
    X(PASS, int, mkfifo, noexcept, (const char* path, mode_t mode), kFails,                        \
      (visible_path(path), mode))                                                                  \
    X(PASS, int, mkfifoat, noexcept, (int folder, const char* path, mode_t mode), kFails,          \
      (visible(folder), visible_path(folder, path), mode))                                         \
    X(PASS, int, rename, noexcept, (const char* from, const char* to), SYS_rename,                 \
      (visible_path(from), visible_path(to)))                                                      \
    X(PASS, int, renameat, noexcept,                                                               \
      (int from_folder, const char* from, int to_folder, const char* to), SYS_renameat,            \
      (visible(from_folder), visible_path(from_folder, from), visible(to_folder),                  \
       visible_path(to_folder, to)))                                                               \
    X(PASS, int, rmdir, noexcept, (const char* path), SYS_rmdir, (visible_path(path)))             \
    X(PASS, int, truncate, noexcept, (const char* path, off_t length), SYS_truncate,               \
      (visible_path(path), length))                                                                \
    X(PASS, int, unlink, noexcept, (const char* path), SYS_unlink, (visible_path(path)))           \
    X(PASS, int, unlinkat, noexcept, (int folder, const char* path, int flags), SYS_unlinkat,      \
      (visible(folder), visible_path(folder, path), flags))                                        \
    X(PASS, int, utime, noexcept, (const char* path, const struct utimbuf* times), SYS_utime,      \
      (visible_path(path), times))                                                                 \
    X(PASS, int, utimes, noexcept, (const char* path, const struct timeval* times), SYS_utimes,    \
      (visible_path(path), times))                                                                 \
    X(PASS, int, utimensat, noexcept,                                                              \
      (int folder, const char* path, const struct timespec* times, int flags), SYS_utimensat,      \
      (visible(folder), visible_path(folder, path), times, flags))                                 \
    X(PASS, FILE*, fopen, , (const char* path, const char* mode), kFails,                          \
      (visible_path(path), mode))                                                                  \
    X(PASS, struct __dirstream*, opendir, , (const char* path), kFails, (visible_path(path)))      \
    X(LATE_PASS, FILE*, freopen, , (const char* path, const char* mode, FILE* stream), kFails,     \
      (visible_path(path), mode, stream))                                                          \
    X(LATE_PASS, int, lchmod, noexcept, (const char* path, mode_t mode), kFails,                   \
      (visible_path(path), mode))                                                                  \
    X(LATE_PASS, int, mknod, noexcept, (const char* path, mode_t mode, dev_t device), SYS_mknod,   \
      (visible_path(path), mode, device))                                                          \
    X(LATE_PASS, int, mknodat, noexcept,                                                           \
      (int folder, const char* path, mode_t mode, dev_t device), SYS_mknodat,                      \
      (visible(folder), visible_path(folder, path), mode, device))                                 \
    X(LATE_PASS, int, __xmknod, noexcept,                                                          \
      (int version, const char* path, mode_t mode, dev_t* device), kFails,                         \
      (version, visible_path(path), mode, device))                                                 \
    X(LATE_PASS, int, __xmknodat, noexcept,                                                        \
      (int version, int folder, const char* path, mode_t mode, dev_t* device), kFails,             \
      (version, visible(folder), visible_path(folder, path), mode, device))                        \
    X(LATE_PASS, int, renameat2, noexcept,                                                         \
      (int from_folder, const char* from, int to_folder, const char* to, unsigned flags),          \
      SYS_renameat2,                                                                               \
      (visible(from_folder), visible_path(from_folder, from), visible(to_folder),                  \
       visible_path(to_folder, to), flags))                                                        \
    X(LATE_PASS, int, remove, noexcept, (const char* path), kFails, (visible_path(path)))          \
    X(LATE_PASS, int, lutimes, noexcept, (const char* path, const struct timeval* times), kFails,  \
      (visible_path(path), times))                                                                 \
    X(LATE_PASS, int, futimesat, noexcept,                                                         \
      (int folder, const char* path, const struct timeval* times), SYS_futimesat,                  \
      (visible(folder), visible_path(folder, path), times))                                        \
    X(LATE_PASS, int, eaccess, noexcept, (const char* path, int mode), kFails,                     \
      (visible_path(path), mode))                                                                  \
    X(LATE_PASS, int, euidaccess, noexcept, (const char* path, int mode), kFails,                  \
      (visible_path(path), mode))                                                                  \
    X(LATE_PASS, long, pathconf, noexcept, (const char* path, int name), kFails,                   \
      (visible_path(path), name))                                                                  \
    X(LATE_PASS, int, statfs, noexcept, (const char* path, struct statfs* out), SYS_statfs,        \
      (visible_path(path), out))                                                                   \
    X(LATE_PASS, int, statvfs, noexcept, (const char* path, struct statvfs* out), kFails,          \
      (visible_path(path), out))                                                                   \
    X(LATE_PASS, ssize_t, getxattr, noexcept,                                                      \
      (const char* path, const char* name, void* to, size_t bytes), SYS_getxattr,                  \
      (visible_path(path), name, to, bytes))                                                       \
    X(LATE_PASS, ssize_t, lgetxattr, noexcept,                                                     \
      (const char* path, const char* name, void* to, size_t bytes), SYS_lgetxattr,                 \
      (visible_path(path), name, to, bytes))                                                       \
    X(LATE_PASS, ssize_t, listxattr, noexcept, (const char* path, char* to, size_t bytes),         \
      SYS_listxattr, (visible_path(path), to, bytes))                                              \
    X(LATE_PASS, ssize_t, llistxattr, noexcept, (const char* path, char* to, size_t bytes),        \
      SYS_llistxattr, (visible_path(path), to, bytes))                                             \
    X(LATE_PASS, int, setxattr, noexcept,                                                          \
      (const char* path, const char* name, const void* from, size_t bytes, int flags),             \
      SYS_setxattr, (visible_path(path), name, from, bytes, flags))                                \
    X(LATE_PASS, int, lsetxattr, noexcept,                                                         \
      (const char* path, const char* name, const void* from, size_t bytes, int flags),             \
      SYS_lsetxattr, (visible_path(path), name, from, bytes, flags))                               \
    X(LATE_PASS, int, removexattr, noexcept, (const char* path, const char* name),                 \
      SYS_removexattr, (visible_path(path), name))                                                 \
    X(LATE_PASS, int, lremovexattr, noexcept, (const char* path, const char* name),                \
      SYS_lremovexattr, (visible_path(path), name))                                                \
    X(LATE_PASS, char*, realpath, noexcept, (const char* path, char* to), kFails,                  \
      (visible_path(path), to))                                                                    \
    X(LATE_PASS, char*, __realpath_chk, noexcept, (const char* path, char* to, size_t room),       \
      kFails, (visible_path(path), to, room))                                                      \
    X(LATE_PASS, char*, canonicalize_file_name, noexcept, (const char* path), kFails,              \
      (visible_path(path)))                                                                        \
    X(LATE_PASS, int, inotify_add_watch, noexcept, (int fd, const char* path, uint32_t mask),      \
      SYS_inotify_add_watch, (visible(fd), visible_path(path), mask))                              \
    X(LATE_PASS, int, fanotify_mark, noexcept,                                                     \
      (int fd, unsigned flags, uint64_t mask, int folder, const char* path), SYS_fanotify_mark,    \
      (visible(fd), flags, mask, visible(folder), visible_path(folder, path)))                     \
    X(LATE_PASS, int, name_to_handle_at, noexcept,                                                 \
      (int folder, const char* path, struct file_handle* handle, int* mount, int flags),           \
      SYS_name_to_handle_at, (visible(folder), visible_path(folder, path), handle, mount, flags))  \
    X(LATE_PASS, int, open_tree, noexcept, (int folder, const char* path, unsigned flags), 428,    \
      (visible(folder), visible_path(folder, path), flags))                                        \
    X(LATE_PASS, int, move_mount, noexcept,                                                        \
      (int from_folder, const char* from, int to_folder, const char* to, unsigned flags), 429,     \
      (visible(from_folder), visible_path(from_folder, from), visible(to_folder),                  \
       visible_path(to_folder, to), flags))                                                        \
    X(LATE_PASS, int, fspick, noexcept, (int folder, const char* path, unsigned flags), 433,       \
      (visible(folder), visible_path(folder, path), flags))                                        \
    X(LATE_PASS, int, mount_setattr, noexcept,                                                     \
      (int folder, const char* path, unsigned flags, struct mount_attr* attributes, size_t bytes), \
      442, (visible(folder), visible_path(folder, path), flags, attributes, bytes))                \
    X(LATE_PASS, key_t, ftok, noexcept, (const char* path, int number), kFails,                    \
      (visible_path(path), number))                                                                \
    X(SAME, fopen64, fopen)                                                                        \
    X(SAME, freopen64, freopen)                                                                    \
    X(SAME, creat64, creat)                                                                        \
    X(SAME, truncate64, truncate)                                                                  \
    X(SAME, statfs64, statfs)                                                                      \
    X(SAME, __statfs, statfs)                                                                      \
    X(SAME, statvfs64, statvfs)

// descriptors/open_and_stat.cpp
#define COWSCOPE_OPEN_AND_STAT_HOOKS(X)                                              \
    X(HOOK, int, access, (const char*, int), SYS_access)                             \
    X(HOOK, int, faccessat, (int, const char*, int, int), kFails)                    \
    X(HOOK, int, stat, (const char*, struct stat*), SYS_stat)                        \
    X(HOOK, int, lstat, (const char*, struct stat*), SYS_lstat)                      \
    X(HOOK, int, fstat, (int, struct stat*), SYS_fstat)                              \
    X(HOOK, int, fstatat, (int, const char*, struct stat*, int), SYS_newfstatat)     \
    X(HOOK, int, __xstat, (int, const char*, struct stat*), kFails)                  \
    X(HOOK, int, __lxstat, (int, const char*, struct stat*), kFails)                 \
    X(HOOK, int, __fxstat, (int, int, struct stat*), kFails)                         \
    X(HOOK, int, __fxstatat, (int, int, const char*, struct stat*, int), kFails)     \
    X(HOOK, int, statx, (int, const char*, int, unsigned, struct statx*), SYS_statx) \
    X(VARIADIC, int, open, (const char*, int, mode_t), kFails)                       \
    X(VARIADIC, int, openat, (int, const char*, int, mode_t), SYS_openat)            \
    X(HOOK, int, __open_2, (const char*, int), kFails)                               \
    X(HOOK, int, __openat_2, (int, const char*, int), kFails)                        \
    X(SAME, open64, open)                                                            \
    X(SAME, __open, open)                                                            \
    X(SAME, __open64, open)                                                          \
    X(SAME, openat64, openat)                                                        \
    X(SAME, __open64_2, __open_2)                                                    \
    X(SAME, __openat64_2, __openat_2)                                                \
    X(SAME, stat64, stat)                                                            \
    X(SAME, lstat64, lstat)                                                          \
    X(SAME, fstat64, fstat)                                                          \
    X(SAME, fstatat64, fstatat)                                                      \
    X(SAME, __xstat64, __xstat)                                                      \
    X(SAME, __lxstat64, __lxstat)                                                    \
    X(SAME, __fxstat64, __fxstat)                                                    \
    X(SAME, __fxstatat64, __fxstatat)

// descriptors/folder_entries.cpp
#define COWSCOPE_FOLDER_ENTRY_HOOKS(X)                                                             \
    X(HOOK, struct dirent64*, readdir, (struct __dirstream*), kFails)                              \
    X(HOOK, struct dirent64*, readdir64, (struct __dirstream*), kFails)                            \
    X(HOOK, int, readdir_r, (struct __dirstream*, struct dirent64*, struct dirent64**), kFails)    \
    X(HOOK, int, readdir64_r, (struct __dirstream*, struct dirent64*, struct dirent64**), kFails)  \
    X(HOOK, ssize_t, getdents64, (int, void*, size_t), SYS_getdents64)                             \
    X(HOOK, ssize_t, getdirentries, (int, char*, size_t, off_t*), kFails)                          \
    X(HOOK, int, scandir64, (const char*, struct dirent64***, DirentFilter*, DirentOrder*),        \
      kFails)                                                                                      \
    X(HOOK, int, scandirat64, (int, const char*, struct dirent64***, DirentFilter*, DirentOrder*), \
      kFails)                                                                                      \
    X(SAME, getdirentries64, getdirentries)                                                        \
    X(SAME, scandir, scandir64)                                                                    \
    X(SAME, scandirat, scandirat64)

// descriptors/tree_walks.cpp
#define COWSCOPE_TREE_WALK_HOOKS(X)                                      \
    X(LATE_HOOK, int, ftw, (const char*, FtwVisit*, int), kFails)        \
    X(LATE_HOOK, int, nftw, (const char*, NftwVisit*, int, int), kFails) \
    X(LATE_HOOK, struct _ftsent*, fts_read, (FTS*), kFails)              \
    X(SAME, ftw64, ftw)                                                  \
    X(SAME, nftw64, nftw)                                                \
    X(SAME, fts64_read, fts_read)
