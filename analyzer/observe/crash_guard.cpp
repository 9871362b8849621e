#include "observe/crash_guard.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/clock.h"
#include "base/pass_signal.h"
#include "base/signal_mask.h"

namespace cowscope::observe {

namespace {

// What is left to be written behind the program's end takes less.
constexpr uint64_t kGraceNs = 10'000'000'000;
constexpr uint64_t kPollNs = 20'000'000;

std::atomic<pid_t> program{0};
std::atomic<int> program_status{-1};  // as an exit status; -1: it runs
std::atomic<bool> has_crashed{false};
pid_t signal_thread = 0;

void say_crash() {
    constexpr char kLine[] =
        "cowscope: the recorder crashed over what it looked at; the program is not affected, and "
        "what was recorded is kept\n";
    if (write(STDERR_FILENO, kLine, sizeof(kLine) - 1) < 0) return;
}

// -1 while it runs, or where somebody else waits for it.
int ask_status() {
    siginfo_t info{};
    const int result =
        waitid(P_PID, static_cast<id_t>(program.load()), &info, WEXITED | WNOWAIT | WNOHANG);
    if (result != 0 || info.si_pid == 0) return -1;
    constexpr int kSignalStatusBase = 128;
    return info.si_code == CLD_EXITED ? info.si_status : kSignalStatusBase + info.si_status;
}

void rest() {
    const timespec time = {0, kPollNs};
    nanosleep(&time, nullptr);
}

[[noreturn]] void wait_and_end() {
    change_mask(SIG_SETMASK, kAllSignals);
    // Behind the program's end, in the thread that has all the rest to do.
    if (program_status.load() >= 0 && syscall(SYS_gettid) == signal_thread) {
        _exit(program_status.load());
    }
    int status = -1;
    while (status < 0) {
        status = program_status.load() >= 0 ? program_status.load() : ask_status();
        rest();
    }
    const uint64_t end_ns = monotonic_ns() + kGraceNs;
    while (monotonic_ns() < end_ns) rest();
    _exit(status);
}

void on_fault(int, siginfo_t* info, void*) {
    const int saved_errno = errno;
    if (info->si_code <= 0 && info->si_pid != getpid()) {
        // Somebody has sent it while the thread that takes such was busy.
        if (program.load() != 0) pass_signal(program.load(), *info);
        errno = saved_errno;
        return;
    }
    if (!has_crashed.exchange(true)) say_crash();
    wait_and_end();
}

}  // namespace

CrashGuard::~CrashGuard() {
    if (!is_watching_) return;
    for (size_t i = 0; i < kFaults.size(); ++i) sigaction(kFaults[i], &before_[i], nullptr);
    program = 0;
    program_status = -1;
}

void CrashGuard::watch(pid_t pid) {
    program = pid;
    signal_thread = static_cast<pid_t>(syscall(SYS_gettid));
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < kFaults.size(); ++i) sigaction(kFaults[i], &action, &before_[i]);
    is_watching_ = true;
}

void CrashGuard::program_has_ended(int status) {
    program_status = status;
    enter_thread();
}

void CrashGuard::enter_thread() {
    // Signal frames have up to 11 KiB (Intel SDM 1, 13.5: with AMX).
    alignas(64) thread_local std::array<char, size_t{64} * 1024> memory;
    const stack_t stack = {memory.data(), 0, memory.size()};
    // A sanitizer gives each thread one, and takes it back.
    stack_t present = {};
    sigaltstack(nullptr, &present);
    if ((present.ss_flags & SS_DISABLE) != 0) sigaltstack(&stack, nullptr);
    SignalMask faults = 0;
    for (const int each : kFaults) faults |= mask_of(each);
    change_mask(SIG_UNBLOCK, faults);
}

}  // namespace cowscope::observe
