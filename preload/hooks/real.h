// The functions of libc (or of another preload behind ours) that the shim's interposed ones stand
// before. Resolved once, in the constructor: dlsym may allocate and lock.
#pragma once

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <wordexp.h>

#include <cstdint>

struct aiocb64;

namespace cowscope::hooks {

using Spawn = int(int*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*,
                  char* const[], char* const[]);

struct RealFunctions {
    pid_t (*fork)();  // _Fork; nullptr before glibc 2.34. All others are there
    int (*clone)(int (*)(void*), void*, int, void*, ...);
    int (*sigaction)(int, const struct sigaction*, struct sigaction*);
    int (*siginterrupt)(int, int);
    int (*sighold)(int);
    int (*sigblock)(int);
    int (*sigsetmask)(int);
    int (*sigsuspend)(const sigset_t*);
    int (*sigpause)(int);         // by a mask
    int (*sigpause_number)(int);  // __xpg_sigpause
    int (*poll)(struct pollfd*, nfds_t, int);
    int (*poll_checked)(struct pollfd*, nfds_t, int, size_t);
    int (*select)(int, fd_set*, fd_set*, fd_set*, struct timeval*);
    int (*ppoll)(struct pollfd*, nfds_t, const struct timespec*, const sigset_t*);
    int (*ppoll_checked)(struct pollfd*, nfds_t, const struct timespec*, const sigset_t*, size_t);
    int (*pselect)(int, fd_set*, fd_set*, fd_set*, const struct timespec*, const sigset_t*);
    int (*epoll_pwait)(int, struct epoll_event*, int, int, const sigset_t*);
    int (*epoll_pwait2)(int, struct epoll_event*, int, const struct timespec*, const sigset_t*);
    int (*pthread_kill)(pthread_t, int);
    int (*pthread_sigqueue)(pthread_t, int, const union sigval);
    int (*tgkill)(pid_t, pid_t, int);
    long (*ptrace)(int, ...);
    Spawn* posix_spawn;
    Spawn* posix_spawnp;
    int (*system)(const char*);
    FILE* (*popen)(const char*, const char*);
    int (*wordexp)(const char*, wordexp_t*, int);
    int (*sigtimedwait)(const sigset_t*, siginfo_t*, const struct timespec*);
    int (*sigpending)(sigset_t*);
    int (*raise)(int);
    int (*signalfd)(int, const sigset_t*, int);
    int (*sigprocmask)(int, const sigset_t*, sigset_t*);
    int (*pthread_sigmask)(int, const sigset_t*, sigset_t*);
    void (*exit)(int);  // _exit
    void (*quick_exit)(int);
    int (*execve)(const char*, char* const[], char* const[]);
    int (*execvpe)(const char*, char* const[], char* const[]);
    int (*execveat)(int, const char*, char* const[], char* const[], int);
    int (*fexecve)(int, char* const[], char* const[]);
    int (*dlclose)(void*);
    int (*prctl)(int, ...);
    int (*ioctl)(int, unsigned long, ...);
    int (*mlockall)(int);
    int (*setrlimit)(__rlimit_resource_t, const struct rlimit*);
    int (*prlimit)(pid_t, __rlimit_resource, const struct rlimit*, struct rlimit*);
    int (*chroot)(const char*);
    int (*unshare)(int);
    int (*setns)(int, int);
    int (*setuid)(uid_t);
    int (*seteuid)(uid_t);
    int (*setreuid)(uid_t, uid_t);
    int (*setresuid)(uid_t, uid_t, uid_t);
    int (*setfsuid)(uid_t);
    int (*capset)(void*, const void*);
    int (*close)(int);
    int (*close_range)(unsigned, unsigned, int);
    void (*closefrom)(int);
    int (*dup2)(int, int);
    int (*dup3)(int, int, int);
    ssize_t (*read)(int, void*, size_t);
    ssize_t (*pread)(int, void*, size_t, off_t);
    ssize_t (*readv)(int, const struct iovec*, int);
    ssize_t (*preadv)(int, const struct iovec*, int, off_t);
    ssize_t (*recv)(int, void*, size_t, int);
    ssize_t (*recvfrom)(int, void*, size_t, int, struct sockaddr*, socklen_t*);
    ssize_t (*recvmsg)(int, struct msghdr*, int);
    ssize_t (*read_chk)(int, void*, size_t, size_t);
    ssize_t (*pread_chk)(int, void*, size_t, off_t, size_t);
    ssize_t (*recv_chk)(int, void*, size_t, size_t, int);
    ssize_t (*recvfrom_chk)(int, void*, size_t, size_t, int, struct sockaddr*, socklen_t*);
    ssize_t (*preadv2)(int, const struct iovec*, int, off_t, int);
    ssize_t (*process_vm_readv)(pid_t, const struct iovec*, unsigned long, const struct iovec*,
                                unsigned long, unsigned long);
    int (*recvmmsg)(int, struct mmsghdr*, unsigned, int, struct timespec*);
    ssize_t (*getrandom)(void*, size_t, unsigned);
    int (*getentropy)(void*, size_t);
    ssize_t (*readlink)(const char*, char*, size_t);
    ssize_t (*readlinkat)(int, const char*, char*, size_t);
    ssize_t (*readlink_chk)(const char*, char*, size_t, size_t);
    ssize_t (*readlinkat_chk)(int, const char*, char*, size_t, size_t);
    int (*aio_read)(struct aiocb64*);
    int (*lio_listio)(int, struct aiocb64* const*, int, struct sigevent*);
    size_t (*read_items)(void*, size_t, size_t, FILE*);
    size_t (*read_items_unlocked)(void*, size_t, size_t, FILE*);
    size_t (*read_items_chk)(void*, size_t, size_t, size_t, FILE*);
    size_t (*read_items_unlocked_chk)(void*, size_t, size_t, size_t, FILE*);
    char* (*fgets)(char*, int, FILE*);
    char* (*fgets_unlocked)(char*, int, FILE*);
    char* (*fgets_chk)(char*, size_t, int, FILE*);
    char* (*fgets_unlocked_chk)(char*, size_t, int, FILE*);
    ssize_t (*getdelim)(char**, size_t*, int, FILE*);
    void* (*shmat)(int, const void*, int);
    void* (*mmap)(void*, size_t, int, int, int, off_t);
    int (*brk)(void*);
    void* (*sbrk)(intptr_t);
    int (*daemon)(int, int);
    pid_t (*wait)(int*);
    pid_t (*waitpid)(pid_t, int*, int);
    pid_t (*wait3)(int*, int, struct rusage*);
    pid_t (*wait4)(pid_t, int*, int, struct rusage*);
    int (*waitid)(idtype_t, id_t, siginfo_t*, int);
    int (*munmap)(void*, size_t);
    int (*mprotect)(void*, size_t, int);
    int (*madvise)(void*, size_t, int);
    void* (*mremap)(void*, size_t, size_t, int, ...);
};

// Resolves on first use when the constructor has not run yet (another library's constructor forks
// or exits before ours).
const RealFunctions& real();

void resolve_real_functions();
// Those of hidden_descriptors.cpp, hidden_entries.cpp, hidden_paths.cpp and hidden_looks.cpp, which
// keep them for themselves.
void resolve_asking_functions(void* (*find)(const char*));
void resolve_entry_functions(void* (*find)(const char*));
void resolve_path_functions(void* (*find)(const char*));
void resolve_looking_functions(void* (*find)(const char*));
// One that only newer libcs have (glibc 2.39). Looked for when it is called: dlsym() allocates for
// a name that is missing, in programs that may never do so themselves.
Spawn* find_spawn(const char* name);
bool real_functions_are_resolved();

}  // namespace cowscope::hooks
