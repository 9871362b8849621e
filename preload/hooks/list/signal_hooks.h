// Lines of the list (hooks/list.h): functions that set actions and masks of signals, that send,
// wait for and read them.
#pragma once

// signals/actions_and_masks.cpp
#define COWSCOPE_SIGNAL_ACTION_HOOKS(X)                                                \
    X(HOOK, int, sigaction, (int, const struct sigaction*, struct sigaction*), kFails) \
    X(HOOK, int, siginterrupt, (int, int), kFails)                                     \
    X(HOOK, int, sigprocmask, (int, const sigset_t*, sigset_t*), kFails)               \
    X(HOOK, int, pthread_sigmask, (int, const sigset_t*, sigset_t*), kFails)           \
    X(HOOK, int, sighold, (int), kFails)                                               \
    X(HOOK, int, sigblock, (int), kFails)                                              \
    X(HOOK, int, sigsetmask, (int), kFails)                                            \
    X(SAME, __sigaction, sigaction)                                                    \
    X(SAME, bsd_signal, signal)                                                        \
    X(SAME, ssignal, signal)                                                           \
    X(SAME, sysv_signal, __sysv_signal)                                                \
    X(OWN, signal)                                                                     \
    X(OWN, __sysv_signal)                                                              \
    X(OWN, sigset)                                                                     \
    X(OWN, sigignore)                                                                  \
    X(OWN, sigvec)

// signals/sigwait_and_raise.cpp
#define COWSCOPE_SIGNAL_WAIT_HOOKS(X)                                                         \
    X(HOOK, int, sigtimedwait, (const sigset_t*, siginfo_t*, const struct timespec*), kFails) \
    X(HOOK, int, sigpending, (sigset_t*), kFails)                                             \
    X(HOOK, int, signalfd, (int, const sigset_t*, int), kFails)                               \
    X(HOOK, int, raise, (int), kFails)                                                        \
    X(HOOK, int, pthread_kill, (pthread_t, int), kReturnsError)                               \
    X(HOOK, int, pthread_sigqueue, (pthread_t, int, const union sigval), kReturnsError)       \
    X(SAME, gsignal, raise)                                                                   \
    X(OWN, sigwaitinfo)                                                                       \
    X(OWN, sigwait)                                                                           \
    X(OWN, tgkill)

// signals/masked_waits.cpp
#define COWSCOPE_MASKED_WAIT_HOOKS(X)                                                              \
    X(HOOK, int, sigsuspend, (const sigset_t*), kFails)                                            \
    X(HOOK, int, sigpause, (int), kFails)                                                          \
    X(HOOK, int, __xpg_sigpause, (int), kFails)                                                    \
    X(HOOK, int, ppoll, (struct pollfd*, nfds_t, const struct timespec*, const sigset_t*), kFails) \
    X(HOOK, int, __ppoll_chk,                                                                      \
      (struct pollfd*, nfds_t, const struct timespec*, const sigset_t*, size_t), kFails)           \
    X(HOOK, int, pselect,                                                                          \
      (int, fd_set*, fd_set*, fd_set*, const struct timespec*, const sigset_t*), kFails)           \
    X(HOOK, int, epoll_pwait, (int, struct epoll_event*, int, int, const sigset_t*), kFails)       \
    X(HOOK, int, epoll_pwait2,                                                                     \
      (int, struct epoll_event*, int, const struct timespec*, const sigset_t*), kFails)            \
    X(SAME, __sigsuspend, sigsuspend)                                                              \
    X(OWN, __sigpause)
