// Lines of the list (hooks/list.h): functions by which processes begin, end, become others and wait
// for each other, and by which they ask the kernel for anything.
#pragma once

// process/fork.cpp
#define COWSCOPE_FORK_HOOKS(X)                                                                  \
    X(HOOK, pid_t, _Fork, (), kFails)                                                           \
    X(VARIADIC, int, clone, (int (*)(void*), void*, int, void*, pid_t*, void*, pid_t*), kFails) \
    X(HOOK, int, daemon, (int, int), kFails)

// process/exec.cpp
#define COWSCOPE_EXEC_HOOKS(X)                                                                  \
    X(HOOK, int, execve, (const char*, char* const[], char* const[]), kFails)                   \
    X(HOOK, int, execvpe, (const char*, char* const[], char* const[]), kFails)                  \
    X(HOOK, int, execveat, (int, const char*, char* const[], char* const[], int), SYS_execveat) \
    X(HOOK, int, fexecve, (int, char* const[], char* const[]), kFails)                          \
    X(OWN, execv)                                                                               \
    X(OWN, execvp)                                                                              \
    X(OWN, execl)                                                                               \
    X(OWN, execlp)                                                                              \
    X(OWN, execle)

// process/spawn.cpp
#define COWSCOPE_SPAWN_HOOKS(X)                                                          \
    X(HOOK, int, posix_spawn,                                                            \
      (pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*, \
       char* const[], char* const[]),                                                    \
      kReturnsError)                                                                     \
    X(HOOK, int, posix_spawnp,                                                           \
      (pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*, \
       char* const[], char* const[]),                                                    \
      kReturnsError)                                                                     \
    X(LATE_HOOK, int, pidfd_spawn,                                                       \
      (pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*, \
       char* const[], char* const[]),                                                    \
      kReturnsError)                                                                     \
    X(LATE_HOOK, int, pidfd_spawnp,                                                      \
      (pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*, \
       char* const[], char* const[]),                                                    \
      kReturnsError)                                                                     \
    X(HOOK, int, system, (const char*), kFails)                                          \
    X(HOOK, FILE*, popen, (const char*, const char*), kFails)                            \
    X(HOOK, int, wordexp, (const char*, wordexp_t*, int), kFails)                        \
    X(SAME, _IO_popen, popen)

// process/exit.cpp
#define COWSCOPE_END_HOOKS(X)                \
    X(HOOK, void, _exit, (int), kFails)      \
    X(HOOK, void, quick_exit, (int), kFails) \
    X(SAME, _Exit, _exit)

// process/wait_for_child.cpp
#define COWSCOPE_WAIT_FOR_CHILD_HOOKS(X)                              \
    X(HOOK, pid_t, wait, (int*), kFails)                              \
    X(HOOK, pid_t, waitpid, (pid_t, int*, int), kFails)               \
    X(HOOK, pid_t, wait3, (int*, int, struct rusage*), kFails)        \
    X(HOOK, pid_t, wait4, (pid_t, int*, int, struct rusage*), kFails) \
    X(HOOK, int, waitid, (idtype_t, id_t, siginfo_t*, int), kFails)   \
    X(SAME, __wait, wait)                                             \
    X(SAME, __waitpid, waitpid)

// process/dlclose.cpp
#define COWSCOPE_DLCLOSE_HOOKS(X) X(HOOK, int, dlclose, (void*), kFails)

// raw/syscall_function.cpp
#define COWSCOPE_SYSCALL_FUNCTION_HOOKS(X) X(OWN, syscall)
