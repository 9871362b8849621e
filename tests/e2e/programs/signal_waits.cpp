// Programs that wait with a signal mask of their own, are sent SIGTRAP by others, or hand libc what
// is no memory. What they get is as it is without a recorder, or they end with status 98.
#include <dlfcn.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include <csignal>
#include <cstdint>
#include <ctime>

#include "tree_cases.h"

using namespace tree;

extern "C" {
int __sigsuspend(const sigset_t*);
int __ppoll_chk(pollfd*, nfds_t, const timespec*, const sigset_t*, size_t);
int __xpg_sigpause(int);
int __sigpause(int, int);
}

namespace {

volatile sig_atomic_t users = 0;
volatile sig_atomic_t traps = 0;

void count_user(int) {
    users = users + 1;
}
void count_trap(int) {
    traps = traps + 1;
}

void set_handler(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    require(sigaction(signal, &action, nullptr) == 0, "sigaction");
}

void block_all() {
    sigset_t all;
    sigfillset(&all);
    require(sigprocmask(SIG_SETMASK, &all, nullptr) == 0, "sigprocmask");
}

sigset_t nothing() {
    sigset_t none;
    sigemptyset(&none);
    return none;
}

// --- waits that open SIGTRAP ---------------------------------------------------------------------

constexpr timespec kSoon{0, 20'000'000};
const sigset_t kNone = nothing();
int epoll = -1;
epoll_event event;

// Each waits with everything open. Those with a time end with 0 after it.
int by_ppoll() {
    return ppoll(nullptr, 0, &kSoon, &kNone);
}
int by_checked_ppoll() {
    return __ppoll_chk(nullptr, 0, &kSoon, &kNone, 0);
}
int by_pselect() {
    return pselect(0, nullptr, nullptr, nullptr, &kSoon, &kNone);
}
int by_epoll_pwait() {
    return epoll_pwait(epoll, &event, 1, 20, &kNone);
}
int by_epoll_pwait2() {
    auto* function =
        reinterpret_cast<int (*)(int, epoll_event*, int, const timespec*, const sigset_t*)>(
            dlsym(RTLD_DEFAULT, "epoll_pwait2"));
    return function == nullptr ? 0 : function(epoll, &event, 1, &kSoon, &kNone);
}
int by_call_ppoll() {
    timespec time = kSoon;
    return static_cast<int>(syscall(SYS_ppoll, nullptr, 0, &time, &kNone, 8));
}
int by_call_pselect() {
    timespec time = kSoon;
    struct {
        const sigset_t* set;
        size_t bytes;
    } mask{&kNone, 8};
    return static_cast<int>(syscall(SYS_pselect6, 0, nullptr, nullptr, nullptr, &time, &mask));
}
int by_call_epoll() {
    return static_cast<int>(syscall(SYS_epoll_pwait, epoll, &event, 1, 20, &kNone, 8));
}
int (*const kTimed[])() = {by_ppoll,        by_checked_ppoll, by_pselect,      by_epoll_pwait,
                           by_epoll_pwait2, by_call_ppoll,    by_call_pselect, by_call_epoll};

int by_sigsuspend() {
    return sigsuspend(&kNone);
}
int by_other_sigsuspend() {
    return __sigsuspend(&kNone);
}
int by_sigpause() {
    return __sigpause(0, 0);
}
int by_sigpause_symbol() {
    auto* function = reinterpret_cast<int (*)(int)>(dlsym(RTLD_DEFAULT, "sigpause"));
    return function(0);
}
int by_call_sigsuspend() {
    return static_cast<int>(syscall(SYS_rt_sigsuspend, &kNone, 8));
}
int (*const kUntimed[])() = {by_sigsuspend, by_other_sigsuspend, by_sigpause, by_sigpause_symbol,
                             by_call_sigsuspend};

// While all is blocked, writes: a signal of the witness's is pending then.
void write_blocked(size_t from) {
    account::store_to_shared(at(from), 4, 1);
}

void waits_with_a_mask() {
    epoll = epoll_create1(0);
    size_t page = 0;
    for (const auto& wait : kTimed) {
        wait_for_child(start_child([&] {
            block_all();
            write_blocked(page);
            require(wait() == 0, "a wait was interrupted");
            write_blocked(page + 4);
            require(wait() == 0, "a second wait was interrupted");
            sigset_t now;
            sigprocmask(SIG_BLOCK, nullptr, &now);
            require(sigismember(&now, SIGTRAP) == 1, "SIGTRAP is not blocked any more");
        }));
        page += 8;
    }
    for (const auto& wait : kUntimed) {
        const pid_t child = start_child([&] {
            set_handler(SIGUSR1, count_user);
            block_all();
            write_blocked(page);
            require(wait() == -1 && errno == EINTR && users == 1, "ended by something else");
        });
        usleep(30'000);
        kill(child, SIGUSR1);
        wait_for_child(child);
        page += 8;
    }
    // One signal opened: the witness's, and another.
    wait_for_child(start_child([&] {
        set_handler(SIGTRAP, count_trap);
        set_handler(SIGUSR1, count_user);
        block_all();
        write_blocked(page);
        raise(SIGUSR1);
        require(__xpg_sigpause(SIGUSR1) == -1 && users == 1 && traps == 0, "sigpause(SIGUSR1)");
        raise(SIGTRAP);
        require(__xpg_sigpause(SIGTRAP) == -1 && traps == 1, "sigpause(SIGTRAP)");
    }));
}

// A SIGTRAP of the program's own ends each wait, whenever it comes: nobody loses one.
void trap_ends_a_wait() {
    constexpr int kTimes = 400;
    static std::atomic<int>* waits;
    waits = reinterpret_cast<std::atomic<int>*>(map(1, MAP_SHARED | MAP_ANONYMOUS));
    const pid_t child = start_child([] {
        set_handler(SIGTRAP, count_trap);
        block_all();
        for (int i = 0; i < kTimes; ++i) {
            if (i % 8 == 0) write_blocked(static_cast<size_t>(i / 8 % 32) * 4);
            const timespec long_time{10, 0};
            ++*waits;
            const int result =
                i % 2 == 0 ? sigsuspend(&kNone) : ppoll(nullptr, 0, &long_time, &kNone);
            require(result == -1 && errno == EINTR, "a SIGTRAP was lost");
            require(traps == i + 1, "a wait ended without the program's SIGTRAP");
        }
    });
    for (int i = 0; i < kTimes; ++i) {
        while (*waits <= i) {
        }
        // At another moment of the wait's each time.
        for (int spin = 0; spin < i % 50 * 40; ++spin) __asm__ volatile("");
        require(kill(child, SIGTRAP) == 0, "kill");
    }
    wait_for_child(child);
}

// --- SIGTRAPs of others --------------------------------------------------------------------------

volatile sig_atomic_t received = 0;
pid_t sender;

void check_sender(int, siginfo_t* info, void*) {
    if (info->si_code != SI_QUEUE || info->si_pid != sender ||
        info->si_value.sival_int != received + 1) {
        _exit(97);
    }
    received = received + 1;
}

// They come while the process is at anything, the recorder's own work included.
void trap_with_a_value() {
    constexpr int kSignals = 300;
    sender = getpid();
    static std::atomic<int>* acknowledged;
    acknowledged = reinterpret_cast<std::atomic<int>*>(map(1, MAP_SHARED | MAP_ANONYMOUS));
    const pid_t child = start_child([] {
        struct sigaction action {};
        action.sa_flags = SA_SIGINFO | SA_RESTART;
        action.sa_sigaction = check_sender;
        require(sigaction(SIGTRAP, &action, nullptr) == 0, "sigaction");
        unsigned char* memory = map(64);
        reach_step(kChildDone);
        while (received < kSignals) {
            // Each goes through the recorder's hands, with all signals blocked.
            mprotect(memory, kPageBytes, PROT_READ);
            mprotect(memory, kPageBytes, PROT_READ | PROT_WRITE);
            madvise(memory, kPageBytes, MADV_DONTNEED);
            *acknowledged = received;
        }
        write_copied(region, 64);
    });
    wait_for_step(kChildDone);
    for (int i = 1; i <= kSignals; ++i) {
        sigval value{};
        value.sival_int = i;
        require(sigqueue(child, SIGTRAP, value) == 0, "sigqueue");
        siginfo_t end{};
        while (*acknowledged < i && end.si_pid == 0) {
            require(waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOHANG | WNOWAIT) == 0,
                    "waitid");
        }
        require(*acknowledged >= i, "a SIGTRAP was lost or changed");
    }
    wait_for_child(child);
}

// One that is pending for the process stays that: another thread may be the one to take it.
void trap_stays_pending() {
    wait_for_child(start_child([] {
        block_all();
        write_blocked(0);
        sigval value{};
        value.sival_int = 4711;
        require(sigqueue(getpid(), SIGTRAP, value) == 0, "sigqueue");
        sigset_t pending;
        for (int i = 0; i < 3; ++i) {
            require(sigpending(&pending) == 0 && sigismember(&pending, SIGTRAP) == 1,
                    "not pending");
        }
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTRAP);
        siginfo_t info;
        require(sigtimedwait(&set, &info, &kSoon) == SIGTRAP, "lost");
        require(
            info.si_code == SI_QUEUE && info.si_value.sival_int == 4711 && info.si_pid == getpid(),
            "another siginfo");
        write_blocked(8);
        require(pthread_kill(pthread_self(), SIGTRAP) == 0, "pthread_kill");
        require(sigwaitinfo(&set, &info) == SIGTRAP && info.si_code <= 0, "pthread_kill is lost");
        write_blocked(16);
        value.sival_int = 12;
        require(pthread_sigqueue(pthread_self(), SIGTRAP, value) == 0, "pthread_sigqueue");
        require(sigwaitinfo(&set, &info) == SIGTRAP && info.si_value.sival_int == 12,
                "pthread_sigqueue is lost");
        write_blocked(24);
        require(syscall(SYS_tgkill, getpid(), gettid(), SIGTRAP) == 0, "tgkill");
        require(syscall(SYS_rt_sigtimedwait, &set, &info, &kSoon, 8) == SIGTRAP, "tgkill is lost");
        write_blocked(32);
        require(syscall(SYS_rt_sigtimedwait, &set, &info, &kSoon, 8) == -1 && errno == EAGAIN,
                "a SIGTRAP that nobody sent");
        write_blocked(40);
        uint64_t mask = 0;
        require(syscall(SYS_rt_sigpending, &mask, 8) == 0 && mask == 0, "pending, and nobody's");
    }));
}

// --- what is no memory ---------------------------------------------------------------------------

template <typename Result>
void expect_error(Result result, int error, const char* what) {
    if (result == static_cast<Result>(-1) && errno == error) return;
    account::fail(what);
}

void bad_pointers_here() {
    const auto* nowhere = reinterpret_cast<const sigset_t*>(8);
    const sigset_t* volatile null = nullptr;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTRAP);
    sigaddset(&set, SIGUSR1);
    expect_error(signalfd(-1, null, 0), EFAULT, "signalfd(-1, NULL)");
    expect_error(signalfd(-1, nowhere, 0), EFAULT, "signalfd of nowhere");
    expect_error(signalfd(-1, &set, ~0), EINVAL, "signalfd with other flags");
    expect_error(signalfd(0, &set, 0), EINVAL, "signalfd of another file");
    expect_error(syscall(SYS_signalfd4, -1, nullptr, 8, 0), EFAULT, "signalfd4(-1, NULL)");
    expect_error(syscall(SYS_signalfd4, -1, &set, 9, 0), EINVAL, "signalfd4 of 9 bytes");
    siginfo_t info;
    expect_error(sigtimedwait(nowhere, &info, &kSoon), EFAULT, "sigtimedwait of nowhere");
    expect_error(sigtimedwait(&set, &info, reinterpret_cast<const timespec*>(8)), EFAULT,
                 "sigtimedwait for nowhere");
    const timespec no_time{0, 1'000'000'000};
    expect_error(sigtimedwait(&set, &info, &no_time), EINVAL, "sigtimedwait for no time");
    expect_error(sigwaitinfo(nowhere, &info), EFAULT, "sigwaitinfo of nowhere");
    expect_error(sigpending(reinterpret_cast<sigset_t*>(8)), EFAULT, "sigpending to nowhere");
    expect_error(sigsuspend(nowhere), EFAULT, "sigsuspend of nowhere");
    expect_error(ppoll(nullptr, 0, &kSoon, nowhere), EFAULT, "ppoll with nowhere");
    expect_error(pselect(0, nullptr, nullptr, nullptr, &kSoon, nowhere), EFAULT,
                 "pselect with nowhere");
    expect_error(epoll_pwait(epoll, &event, 1, 0, nowhere), EFAULT, "epoll_pwait with nowhere");
    expect_error(syscall(SYS_pselect6, 0, nullptr, nullptr, nullptr, nullptr, nowhere), EFAULT,
                 "pselect6 with nowhere");
    expect_error(syscall(SYS_rt_sigaction, SIGTRAP, nowhere, nullptr, 8), EFAULT,
                 "rt_sigaction of nowhere");
    expect_error(syscall(SYS_rt_sigaction, SIGTRAP, nullptr, nowhere, 8), EFAULT,
                 "rt_sigaction to nowhere");
    expect_error(syscall(SYS_rt_sigaction, SIGTRAP, nullptr, nullptr, 9), EINVAL,
                 "rt_sigaction of 9 bytes");
    expect_error(syscall(SYS_rt_sigprocmask, SIG_BLOCK, nowhere, nullptr, 8), EFAULT,
                 "rt_sigprocmask of nowhere");
    block_all();
    raise(SIGTRAP);
    expect_error(syscall(SYS_rt_sigtimedwait, &set, nowhere, &kSoon, 8), EFAULT,
                 "sigtimedwait to nowhere");
    sigprocmask(SIG_SETMASK, &kNone, nullptr);
    expect_error(sigaction(0, nullptr, nullptr), EINVAL, "sigaction of no signal");
    struct sigaction action {};
    expect_error(sigaction(SIGKILL, &action, nullptr), EINVAL, "sigaction of SIGKILL");
    errno = 0;
    require(signal(SIGTRAP, SIG_ERR) == SIG_ERR && errno == EINVAL, "signal(SIG_ERR)");
}

void bad_pointers() {
    epoll = epoll_create1(0);
    // Before anything forks, with a child's witness at work, and without.
    set_handler(SIGTRAP, count_trap);
    bad_pointers_here();
    wait_for_child(start_child([] {
        write_copied(region, 16);
        bad_pointers_here();
        write_copied(at(16), 16);
    }));
    bad_pointers_here();
}

const Case kCases[] = {
    {"waits-with-a-mask", waits_with_a_mask}, {"trap-ends-a-wait", trap_ends_a_wait},
    {"trap-with-a-value", trap_with_a_value}, {"trap-stays-pending", trap_stays_pending},
    {"bad-pointers", bad_pointers},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
