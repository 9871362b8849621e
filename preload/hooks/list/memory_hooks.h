// Lines of the list (hooks/list.h): functions that change the program's memory, or by which the
// kernel writes to it.
#pragma once

// memory/map_and_unmap.cpp
#define COWSCOPE_MEMORY_HOOKS(X)                                                \
    X(HOOK, void*, mmap64, (void*, size_t, int, int, int, off_t), SYS_mmap)     \
    X(HOOK, int, mprotect, (void*, size_t, int), SYS_mprotect)                  \
    X(HOOK, int, munmap, (void*, size_t), SYS_munmap)                           \
    X(HOOK, int, madvise, (void*, size_t, int), SYS_madvise)                    \
    X(VARIADIC, void*, mremap, (void*, size_t, size_t, int, void*), SYS_mremap) \
    X(HOOK, void*, shmat, (int, const void*, int), kFails)                      \
    X(HOOK, int, brk, (void*), kFails)                                          \
    X(HOOK, void*, sbrk, (intptr_t), kFails)                                    \
    X(SAME, mmap, mmap64)

// memory/host_userfaultfd.cpp
#define COWSCOPE_USERFAULTFD_HOOKS(X) \
    X(VARIADIC, int, ioctl, (int, unsigned long, void*), SYS_ioctl)

// memory/read_and_recv.cpp
#define COWSCOPE_KERNEL_WRITE_HOOKS(X)                                                            \
    X(HOOK, ssize_t, read, (int, void*, size_t), SYS_read)                                        \
    X(HOOK, ssize_t, pread64, (int, void*, size_t, off_t), SYS_pread64)                           \
    X(HOOK, ssize_t, readv, (int, const struct iovec*, int), kFails)                              \
    X(HOOK, ssize_t, preadv64, (int, const struct iovec*, int, off_t), kFails)                    \
    X(HOOK, ssize_t, preadv64v2, (int, const struct iovec*, int, off_t, int), kFails)             \
    X(HOOK, ssize_t, recv, (int, void*, size_t, int), kFails)                                     \
    X(HOOK, ssize_t, recvfrom, (int, void*, size_t, int, struct sockaddr*, socklen_t*), kFails)   \
    X(HOOK, ssize_t, recvmsg, (int, struct msghdr*, int), kFails)                                 \
    X(HOOK, int, recvmmsg, (int, struct mmsghdr*, unsigned, int, struct timespec*), kFails)       \
    X(HOOK, ssize_t, __read_chk, (int, void*, size_t, size_t), kFails)                            \
    X(HOOK, ssize_t, __pread64_chk, (int, void*, size_t, off_t, size_t), kFails)                  \
    X(HOOK, ssize_t, __recv_chk, (int, void*, size_t, size_t, int), kFails)                       \
    X(HOOK, ssize_t, __recvfrom_chk,                                                              \
      (int, void*, size_t, size_t, int, struct sockaddr*, socklen_t*), kFails)                    \
    X(HOOK, ssize_t, process_vm_readv,                                                            \
      (pid_t, const struct iovec*, unsigned long, const struct iovec*, unsigned long,             \
       unsigned long),                                                                            \
      kFails)                                                                                     \
    X(HOOK, ssize_t, getrandom, (void*, size_t, unsigned), SYS_getrandom)                         \
    X(HOOK, int, getentropy, (void*, size_t), kFails)                                             \
    X(HOOK, ssize_t, readlink, (const char*, char*, size_t), SYS_readlink)                        \
    X(HOOK, ssize_t, readlinkat, (int, const char*, char*, size_t), kFails)                       \
    X(HOOK, ssize_t, __readlink_chk, (const char*, char*, size_t, size_t), kFails)                \
    X(HOOK, ssize_t, __readlinkat_chk, (int, const char*, char*, size_t, size_t), kFails)         \
    X(LATE_HOOK, int, aio_read64, (struct aiocb64*), kFails)                                      \
    X(LATE_HOOK, int, lio_listio64, (int, struct aiocb64* const*, int, struct sigevent*), kFails) \
    X(SAME, __read, read)                                                                         \
    X(SAME, pread, pread64)                                                                       \
    X(SAME, __pread64, pread64)                                                                   \
    X(SAME, __pread_chk, __pread64_chk)                                                           \
    X(SAME, preadv, preadv64)                                                                     \
    X(SAME, preadv2, preadv64v2)                                                                  \
    X(SAME, aio_read, aio_read64)                                                                 \
    X(SAME, lio_listio, lio_listio64)

// memory/stream_reads.cpp
#define COWSCOPE_STREAM_READ_HOOKS(X)                                                     \
    X(HOOK, size_t, fread, (void*, size_t, size_t, FILE*), kFails)                        \
    X(HOOK, size_t, fread_unlocked, (void*, size_t, size_t, FILE*), kFails)               \
    X(HOOK, size_t, __fread_chk, (void*, size_t, size_t, size_t, FILE*), kFails)          \
    X(HOOK, size_t, __fread_unlocked_chk, (void*, size_t, size_t, size_t, FILE*), kFails) \
    X(HOOK, char*, fgets, (char*, int, FILE*), kFails)                                    \
    X(HOOK, char*, fgets_unlocked, (char*, int, FILE*), kFails)                           \
    X(HOOK, char*, __fgets_chk, (char*, size_t, int, FILE*), kFails)                      \
    X(HOOK, char*, __fgets_unlocked_chk, (char*, size_t, int, FILE*), kFails)             \
    X(HOOK, ssize_t, getdelim, (char**, size_t*, int, FILE*), kFails)                     \
    X(SAME, __getdelim, getdelim)                                                         \
    X(OWN, getline)
