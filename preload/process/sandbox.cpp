// Seccomp. A filter that refuses a system call of the shim's with an error costs only what the call
// was for; one that kills would kill the host. So the shim looks at every filter before the host
// installs it, tries in a child of its own what was installed before this program began, and stands
// back for good where it would be killed.
#include <errno.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cstdarg>

#include "process/interpose.h"
#include "process/process.h"
#include "process/real.h"
#include "support/bpf.h"
#include "support/guarded_read.h"
#include "tracker/kernel_abi.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

// All that the shim ever calls, but for ioctl(): kRequests. getpid() and such are asked for in
// every hook. A clone() of this file's own comes before all others of it.
constexpr int kCalls[] = {
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
    SYS_getcwd,
    SYS_getdents64,
    SYS_geteuid,
    SYS_getpid,
    SYS_getppid,
    SYS_getrusage,
    SYS_gettid,
    SYS_madvise,
    SYS_mkdir,
    SYS_mmap,
    SYS_mprotect,
    SYS_mremap,
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
    SYS_rt_sigprocmask,
    SYS_rt_sigqueueinfo,
    SYS_rt_sigreturn,
    SYS_rt_sigtimedwait,
    SYS_rt_tgsigqueueinfo,
    SYS_sched_yield,
    SYS_sysinfo,
    SYS_tgkill,
    SYS_uname,
    SYS_unlinkat,
    SYS_userfaultfd,
    SYS_wait4,
    SYS_write,
};
constexpr unsigned long kRequests[] = {tracker::kPagemapScan, UFFDIO_API,
                                       UFFDIO_REGISTER,       UFFDIO_WRITEPROTECT,
                                       PERF_EVENT_IOC_ID,     PERF_EVENT_IOC_PERIOD};

bool is_deadly(uint32_t action) {
    action &= SECCOMP_RET_ACTION_FULL;
    return action == SECCOMP_RET_KILL_PROCESS || action == SECCOMP_RET_KILL_THREAD ||
           action == SECCOMP_RET_TRAP;
}

sock_filter filter_copy[BPF_MAXINSNS];

// `filter`: what the host is about to install; it may be anything.
bool would_kill(const void* filter) {
    sock_fprog program;
    if (!guarded_read(filter, &program, sizeof(program)) || program.len > BPF_MAXINSNS ||
        !guarded_read(program.filter, filter_copy, program.len * sizeof(sock_filter))) {
        return false;
    }
    seccomp_data call = {};
    call.arch = AUDIT_ARCH_X86_64;
    for (const int number : kCalls) {
        call.nr = number;
        if (is_deadly(run_filter(filter_copy, program.len, call))) return true;
    }
    call.nr = SYS_ioctl;
    for (const unsigned long request : kRequests) {
        call.args[1] = request;
        if (is_deadly(run_filter(filter_copy, program.len, call))) return true;
    }
    return false;
}

void stand_back() {
    const Locked locked;
    look_last(false);
    write_note(trace::NoteCode::sandboxed, 0);
    close_all();
}

void before_filter(const void* filter) {
    if (!is_current()) return;
    bool kills = false;
    {
        const Locked locked;
        kills = would_kill(filter);
    }
    if (kills) stand_back();
}

}  // namespace

void before_seccomp(unsigned operation, const void* arguments) {
    if (operation == SECCOMP_SET_MODE_FILTER) before_filter(arguments);
    if (operation == SECCOMP_SET_MODE_STRICT && is_current()) stand_back();
}

namespace {

// In a child that nobody else can see or wait for, with arguments that come to nothing.
[[noreturn]] void try_calls() {
    const struct rlimit no_core = {0, 0};
    sys::syscall4(SYS_prlimit64, 0, RLIMIT_CORE, sys::word(&no_core), 0);
    for (const int number : kCalls) {
        const bool has_no_harmless_form =
            number == SYS_clone || number == SYS_exit_group || number == SYS_rt_sigreturn;
        if (!has_no_harmless_form) sys::syscall6(number, -1, 0, 0, -1, -1, -1);
    }
    for (const unsigned long request : kRequests) {
        sys::syscall3(SYS_ioctl, -1, static_cast<long>(request), 0);
    }
    for (;;) sys::syscall1(SYS_exit_group, 0);
}

}  // namespace

bool is_killed_by_filter() {
    const long mode = sys::syscall5(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0);
    if (mode != SECCOMP_MODE_FILTER) return false;
    // No signal at its end, and only __WALL finds it.
    const long child = sys::syscall5(SYS_clone, 0, 0, 0, 0, 0);
    if (child == 0) try_calls();
    if (sys::failed(child)) return false;
    int status = 0;
    long waited = 0;
    do {
        waited = sys::syscall4(SYS_wait4, child, sys::word(&status), __WALL, 0);
    } while (waited == -EINTR);
    return waited == child && WIFSIGNALED(status);
}

}  // namespace cowscope::process

COWSCOPE_INTERPOSED int prctl(int option, ...) {
    using namespace cowscope::process;
    va_list list;
    va_start(list, option);
    unsigned long arguments[4];
    for (unsigned long& each : arguments) each = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_SECCOMP && is_current()) {
        if (arguments[0] == SECCOMP_MODE_STRICT) stand_back();
        if (arguments[0] == SECCOMP_MODE_FILTER) {
            before_filter(reinterpret_cast<const void*>(arguments[1]));
        }
    }
    return real().prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
}
