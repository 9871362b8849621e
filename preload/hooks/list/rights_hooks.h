// Lines of the list (hooks/list.h): functions that change what the program may do and have.
#pragma once

// rights/rights.cpp
#define COWSCOPE_RIGHTS_HOOKS(X)                           \
    X(HOOK, int, setuid, (uid_t), kFails)                  \
    X(HOOK, int, seteuid, (uid_t), kFails)                 \
    X(HOOK, int, setreuid, (uid_t, uid_t), kFails)         \
    X(HOOK, int, setresuid, (uid_t, uid_t, uid_t), kFails) \
    X(HOOK, int, setfsuid, (uid_t), kFails)                \
    X(HOOK, int, capset, (void*, const void*), kFails)     \
    X(HOOK, int, chroot, (const char*), kFails)            \
    X(HOOK, int, setns, (int, int), kFails)                \
    X(HOOK, int, unshare, (int), kFails)

// rights/limits.cpp
#define COWSCOPE_LIMIT_HOOKS(X)                                                               \
    X(HOOK, int, mlockall, (int), kFails)                                                     \
    X(HOOK, int, setrlimit64, (__rlimit_resource_t, const struct rlimit*), kFails)            \
    X(HOOK, int, prlimit64, (pid_t, __rlimit_resource, const struct rlimit*, struct rlimit*), \
      kFails)                                                                                 \
    X(SAME, setrlimit, setrlimit64)                                                           \
    X(SAME, prlimit, prlimit64)

// rights/seccomp.cpp
#define COWSCOPE_SECCOMP_HOOKS(X)                                                              \
    X(VARIADIC, int, prctl, (int, unsigned long, unsigned long, unsigned long, unsigned long), \
      SYS_prctl)
