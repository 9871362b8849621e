// All that the shim ever asks of the kernel. What is not listed here does not compile, so that
// hooks/rights/seccomp.cpp, which looks whether a seccomp filter kills for any of it, knows it all.
#pragma once

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <csignal>

#include "format/kernel_abi.h"

namespace cowscope::sys {

// But for ioctl(): kRequests.
inline constexpr long kCalls[] = {
    SYS_brk,
    SYS_capget,
    SYS_capset,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_clone,
    SYS_close,
    SYS_exit_group,
    SYS_fcntl,
    SYS_fstat,
    SYS_fstatfs,
    SYS_ftruncate,
    SYS_get_robust_list,
    SYS_getcwd,
    SYS_getdents64,
    SYS_geteuid,
    SYS_getpid,
    SYS_getppid,
    SYS_getrusage,
    SYS_gettid,
    SYS_getuid,
    SYS_madvise,
    SYS_mkdir,
    SYS_mmap,
    SYS_mprotect,
    SYS_munlock,
    SYS_munmap,
    SYS_openat,
    SYS_perf_event_open,
    SYS_prctl,
    SYS_pread64,
    SYS_prlimit64,
    SYS_process_vm_writev,
    SYS_pwritev,
    SYS_read,
    SYS_readlinkat,
    SYS_rt_sigaction,
    SYS_rt_sigpending,
    SYS_rt_sigprocmask,
    SYS_rt_sigqueueinfo,
    SYS_rt_sigreturn,
    SYS_rt_sigtimedwait,
    SYS_rt_tgsigqueueinfo,
    SYS_sched_yield,
    SYS_signalfd4,
    SYS_sysinfo,
    SYS_tgkill,
    SYS_uname,
    SYS_unlinkat,
    SYS_userfaultfd,
    SYS_wait4,
    SYS_write,
};

inline constexpr unsigned long kRequests[] = {
    kernel::kPagemapScan, kernel::kUserfaultfdNew, UFFDIO_API,        UFFDIO_REGISTER,
    UFFDIO_UNREGISTER,    UFFDIO_WRITEPROTECT,     PERF_EVENT_IOC_ID, PERF_EVENT_IOC_PERIOD,
};

// Arguments that filters look at, with which the calls above are made.
struct Argument {
    long call;
    unsigned index;  // from 0
    unsigned long value;
};
inline constexpr Argument kArguments[] = {
    {SYS_fcntl, 1, F_DUPFD_CLOEXEC},
    {SYS_prctl, 0, PR_GET_SECCOMP},
    {SYS_prlimit64, 1, RLIMIT_FSIZE},
    {SYS_prlimit64, 1, RLIMIT_NOFILE},
    {SYS_prlimit64, 1, RLIMIT_AS},
    {SYS_madvise, 2, MADV_DONTFORK},
    {SYS_madvise, 2, MADV_NOHUGEPAGE},
    {SYS_madvise, 2, MADV_WIPEONFORK},
    {SYS_madvise, 2, 23},  // MADV_POPULATE_WRITE
    {SYS_mmap, 3, MAP_SHARED | MAP_POPULATE},
    {SYS_mmap, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE},
    {SYS_mprotect, 2, PROT_READ | PROT_WRITE},
    {SYS_openat, 2, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC},
    {SYS_tgkill, 2, SIGTRAP},
    {SYS_rt_sigaction, 0, SIGTRAP},
};

template <typename Number, size_t Count>
constexpr bool holds(const Number (&list)[Count], Number number) {
    for (const Number each : list) {
        if (each == number) return true;
    }
    return false;
}

void is_missing_in_the_list_of_system_calls();

// The number of a system call that is in the list: a constant.
struct Call {
    consteval Call(long of) : number(of) {  // NOLINT(google-explicit-constructor)
        if (!holds(kCalls, of) && of != SYS_ioctl) is_missing_in_the_list_of_system_calls();
    }
    long number;
};

// The same for the requests of ioctl().
struct Request {
    consteval Request(unsigned long of) : number(of) {  // NOLINT(google-explicit-constructor)
        if (!holds(kRequests, of)) is_missing_in_the_list_of_system_calls();
    }
    unsigned long number;
};

}  // namespace cowscope::sys
