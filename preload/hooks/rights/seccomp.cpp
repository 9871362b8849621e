// Seccomp. A filter that refuses a system call of the shim's with an error costs only what the call
// was for; one that kills would kill the host. So the shim looks at every filter before the host
// installs it, tries in a child of its own what was installed before this program began, and stands
// back for good where it would be killed.
//
// Making a child may be deadly as well. It is tried where the program is about to make one itself,
// or where the recorder has done so under the very same filters.
#include "hooks/rights/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cstdarg>
#include <cstring>

#include "epoch/end.h"
#include "epoch/epoch.h"
#include "hooks/define_hooks.h"
#include "session/session.h"
#include "support/bpf.h"
#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::hooks {
namespace {

bool is_deadly(uint32_t action) {
    action &= SECCOMP_RET_ACTION_FULL;
    return action == SECCOMP_RET_KILL_PROCESS || action == SECCOMP_RET_KILL_THREAD ||
           action == SECCOMP_RET_TRAP;
}

seccomp_data call_of(long number) {
    seccomp_data call = {};
    call.arch = AUDIT_ARCH_X86_64;
    call.nr = static_cast<int>(number);
    return call;
}

sock_filter filter_copy[BPF_MAXINSNS];

// `filter`: what the host is about to install; it may be anything.
bool would_kill(const void* filter) {
    sock_fprog program;
    if (!guarded_read(filter, &program, sizeof(program)) || program.len > BPF_MAXINSNS ||
        !guarded_read(program.filter, filter_copy, program.len * sizeof(sock_filter))) {
        return false;
    }
    const auto kills = [&](const seccomp_data& call) {
        return is_deadly(run_filter(filter_copy, program.len, call));
    };
    for (const long number : sys::kCalls) {
        if (kills(call_of(number))) return true;
    }
    for (const sys::Argument& each : sys::kArguments) {
        seccomp_data call = call_of(each.call);
        call.args[each.index] = each.value;
        if (kills(call)) return true;
    }
    seccomp_data call = call_of(SYS_ioctl);
    for (const unsigned long request : sys::kRequests) {
        call.args[1] = request;
        if (kills(call)) return true;
    }
    return false;
}

void stand_back() {
    const session::Locked locked;
    epoch::look_last(false);
    session::write_note(trace::NoteCode::sandboxed, 0);
    epoch::close_all();
}

void before_filter(const void* filter) {
    if (!session::is_current()) return;
    bool kills = false;
    {
        const session::Locked locked;
        kills = would_kill(filter);
    }
    if (kills) stand_back();
}

}  // namespace

void before_seccomp(unsigned operation, const void* arguments) {
    if (operation == SECCOMP_SET_MODE_FILTER) before_filter(arguments);
    if (operation == SECCOMP_SET_MODE_STRICT && session::is_current()) stand_back();
}

namespace {

// What the child that tries the calls has come to, in memory that it shares with this process.
struct Tried {
    bool may_wait;
    bool may_make_all;
};

void try_call(long number, unsigned index = 0, unsigned long value = ~0UL) {
    // What comes to nothing: no descriptor, no process, no address.
    long arguments[6] = {-1, 0, 0, -1, -1, -1};
    arguments[index] = static_cast<long>(value);
    sys::raw_syscall6(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                      arguments[5]);
}

// By a signal, the only way to come by it. libc knows what else that takes.
void try_signal_return() {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    real::sigaction(SIGURG, &action, nullptr);
    sys::set_signal_mask(0);
    sys::tgkill(sys::getpid(), sys::gettid(), SIGURG);
}

// In a child that nobody else can see or wait for, which has a copy of this process's memory and
// goes on alone.
[[noreturn]] void try_calls(volatile Tried* tried) {
    // What its parent needs to see it end.
    try_call(SYS_wait4);
    tried->may_wait = true;
    const struct rlimit no_core = {0, 0};
    sys::syscall4(SYS_prlimit64, 0, RLIMIT_CORE, sys::word(&no_core), 0);
    for (const long number : sys::kCalls) {
        const bool has_no_harmless_form =
            number == SYS_clone || number == SYS_exit_group || number == SYS_rt_sigreturn;
        if (!has_no_harmless_form) try_call(number);
    }
    for (const sys::Argument& each : sys::kArguments) try_call(each.call, each.index, each.value);
    for (const unsigned long request : sys::kRequests) {
        sys::raw_syscall6(SYS_ioctl, -1, static_cast<long>(request), 0, 0, 0, 0);
    }
    try_signal_return();
    tried->may_make_all = true;
    for (;;) sys::syscall1(SYS_exit_group, 0);
}

// The number behind a label of /proc/PID/status (proc(5)), or `otherwise`.
uint64_t status_number(const char* text, const char* label, uint64_t otherwise) {
    const char* at = std::strstr(text, label);
    if (at == nullptr) return otherwise;
    uint64_t value = 0;
    for (at += std::strlen(label); *at >= '0' && *at <= '9'; ++at) {
        value = value * 10 + static_cast<uint64_t>(*at - '0');
    }
    return value;
}

bool is_filtered() {
    return sys::syscall5(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER;
}

// Who has tried it leaves this in the trace's folder, for the programs that come later.
constexpr char kMarker[] = "calls-allowed";

}  // namespace

bool may_make_all_calls() {
    constexpr size_t kBytes = sizeof(Tried);
    void* shared =
        sys::mmap(sys::OwnPlace::probe, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    if (sys::failed(shared)) return false;
    auto* tried = static_cast<volatile Tried*>(shared);
    // No signal at its end, which this process waits for in the call, and only __WALL finds it.
    const long child = sys::syscall5(SYS_clone, CLONE_VFORK, 0, 0, 0, 0);
    if (child == 0) try_calls(tried);
    if (tried->may_wait) {
        while (sys::syscall4(SYS_wait4, child, 0, __WALL, 0) == -EINTR) {
        }
    }
    const bool may_make_all = tried->may_make_all;
    sys::munmap(shared, kBytes);
    return may_make_all;
}

bool is_killed_by_filter() {
    return is_filtered() && !may_make_all_calls();
}

uint32_t filters_in_force() {
    char text[4 * 1024];
    const int fd = sys::open("/proc/self/status", O_RDONLY);
    // Without /proc there is no safe way to ask.
    if (fd < 0) return is_filtered() ? 1 : 0;
    const long got = sys::read(fd, text, sizeof(text) - 1);
    sys::close(fd);
    text[got < 0 ? 0 : got] = '\0';
    // Linux 5.9 counts them.
    const bool is_filtered = status_number(text, "\nSeccomp:\t", 0) == SECCOMP_MODE_FILTER;
    if (!is_filtered) return 0;
    return static_cast<uint32_t>(status_number(text, "\nSeccomp_filters:\t", 1));
}

bool may_make_all_calls_here() {
    const int folder = session::self.folder.open();
    if (folder < 0) return may_make_all_calls();
    const int marker = sys::open_at(folder, kMarker, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (marker >= 0) sys::close(marker);
    bool may_make_all = marker >= 0;
    if (!may_make_all && may_make_all_calls()) {
        may_make_all = true;
        const int made = sys::open_at(folder, kMarker, O_RDONLY | O_CREAT | O_NOFOLLOW, 0600);
        if (made >= 0) sys::close(made);
    }
    sys::close(folder);
    return may_make_all;
}

}  // namespace cowscope::hooks

using namespace cowscope;
using namespace cowscope::hooks;

COWSCOPE_INTERPOSED int prctl(int option, ...) {
    va_list list;
    va_start(list, option);
    unsigned long arguments[4];
    for (unsigned long& each : arguments) each = va_arg(list, unsigned long);
    va_end(list);
    if (option == PR_SET_SECCOMP && session::is_current()) {
        if (arguments[0] == SECCOMP_MODE_STRICT) stand_back();
        if (arguments[0] == SECCOMP_MODE_FILTER) {
            before_filter(reinterpret_cast<const void*>(arguments[1]));
        }
    }
    return real::prctl(option, arguments[0], arguments[1], arguments[2], arguments[3]);
}
