// Programs that use signals and stacks in ways that a profiler in the same process could disturb.
// What they do with their own signals must come out the same, or they end with status 98.
#include <pthread.h>
#include <sys/signalfd.h>
#include <sys/time.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <ctime>

#include "coroutine.h"
#include "tree_cases.h"

using namespace tree;

namespace {

volatile sig_atomic_t traps = 0;
volatile sig_atomic_t faults = 0;

void count_trap(int, siginfo_t* info, void*) {
    // Only what the program itself sends or executes: a tracer's event has another code (6).
    if (info->si_code == SI_TKILL || info->si_code == SI_KERNEL)
        traps = traps + 1;
    else
        _exit(97);
}

struct sigaction action_of(int signal) {
    struct sigaction action;
    require(sigaction(signal, nullptr, &action) == 0, "sigaction");
    return action;
}

void set_action(int signal, void (*handler)(int, siginfo_t*, void*), int flags = 0) {
    struct sigaction action {};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    require(sigaction(signal, &action, nullptr) == 0, "sigaction");
}

sigset_t only(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

// --- SIGTRAP of the host's own -------------------------------------------------------------------

void trap_and_write() {
    const int before = traps;
    raise(SIGTRAP);
    __asm__ volatile("int3");
    write_copied(region, 64);
    raise(SIGTRAP);
    require(traps == before + 3, "a SIGTRAP of the program's own went astray");
    require(action_of(SIGTRAP).sa_sigaction == count_trap, "SIGTRAP reads as someone else's");
}

void trap_handled_before() {
    set_action(SIGTRAP, count_trap);
    wait_for_child(start_child(trap_and_write));
    raise(SIGTRAP);
    require(traps == 1, "SIGTRAP in the parent");
}

void trap_handled_after() {
    wait_for_child(start_child([] {
        require(action_of(SIGTRAP).sa_handler == SIG_DFL, "SIGTRAP is not at its default");
        write_copied(at(128), 16);
        set_action(SIGTRAP, count_trap);
        trap_and_write();
    }));
}

void trap_ignored() {
    signal(SIGTRAP, SIG_IGN);
    wait_for_child(start_child([] {
        require(action_of(SIGTRAP).sa_handler == SIG_IGN, "SIGTRAP is not ignored");
        raise(SIGTRAP);
        write_copied(region, 64);
        raise(SIGTRAP);
    }));
}

void trap_by_default() {
    const pid_t child = start_child([] {
        write_copied(region, 32);
        raise(SIGTRAP);
    });
    int status = 0;
    require(waitpid(child, &status, 0) == child, "waitpid");
    require(WIFSIGNALED(status) && WTERMSIG(status) == SIGTRAP, "SIGTRAP did not end the child");
}

// What comes is the program's own, and nothing else comes.
void trap_waited_for() {
    const sigset_t set = only(SIGTRAP);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    wait_for_child(start_child([&] {
        const int fd = signalfd(-1, &set, SFD_NONBLOCK);
        write_copied(region, 64);
        timespec soon{0, 20'000'000};
        siginfo_t info;
        require(sigtimedwait(&set, &info, &soon) == -1, "a SIGTRAP that nobody sent");
        signalfd_siginfo read_info;
        require(read(fd, &read_info, sizeof(read_info)) < 0, "a SIGTRAP that nobody sent");
        raise(SIGTRAP);
        require(sigtimedwait(&set, &info, &soon) == SIGTRAP, "the program's own SIGTRAP is lost");
        require(info.si_code == SI_USER, "not the program's own SIGTRAP");
        sigset_t pending;
        sigpending(&pending);
        require(sigismember(&pending, SIGTRAP) == 0, "a SIGTRAP is pending that nobody sent");
    }));
}

// The program's handler waits until it is written to, or cancelled: its thread must be open to what
// libc sends it meanwhile.
int to_handler[2];
std::atomic<bool> in_handler{false};

void wait_in_handler(int, siginfo_t*, void*) {
    in_handler = true;
    char byte;
    while (read(to_handler[0], &byte, 1) != 1) {
    }
}

void trap_handler_waits(void (*meanwhile)(pthread_t)) {
    require(pipe(to_handler) == 0, "pipe");
    set_action(SIGTRAP, wait_in_handler);
    static void (*act)(pthread_t);
    act = meanwhile;
    wait_for_child(start_child([] {
        alarm(20);  // in place of waiting for ever
        pthread_t waiting;
        const auto trap = [](void*) -> void* {
            raise(SIGTRAP);
            return nullptr;
        };
        require(pthread_create(&waiting, nullptr, trap, nullptr) == 0, "pthread_create");
        while (!in_handler) sched_yield();
        act(waiting);
        require(pthread_join(waiting, nullptr) == 0, "pthread_join");
        write_copied(region, 16);
    }));
}
void trap_handler_is_cancelled() {
    trap_handler_waits(
        [](pthread_t waiting) { require(pthread_cancel(waiting) == 0, "pthread_cancel"); });
}
// Which libc does in all threads.
void trap_handler_changes_user() {
    trap_handler_waits([](pthread_t) {
        require(setuid(getuid()) == 0, "setuid");
        require(write(to_handler[1], "x", 1) == 1, "write");
    });
}

// --- faults of the host's own --------------------------------------------------------------------

unsigned char* guarded;

void open_page(int, siginfo_t* info, void*) {
    faults = faults + 1;
    auto* page = reinterpret_cast<unsigned char*>(reinterpret_cast<uint64_t>(info->si_addr) &
                                                  ~(kPageBytes - 1));
    if (page < guarded || page >= guarded + 64 * kPageBytes) _exit(96);
    mprotect(page, kPageBytes, PROT_READ | PROT_WRITE);
}

void segv_handled(int flags) {
    guarded = region;
    set_action(SIGSEGV, open_page, flags);
    wait_for_child(start_child([] {
        require(mprotect(region, 64 * kPageBytes, PROT_READ) == 0, "mprotect");
        write_copied(region, 64);
        require(faults == 64, "a SIGSEGV of the program's own went astray");
    }));
}

void segv_handled_here() {
    segv_handled(0);
}

alignas(16) unsigned char host_stack[64 * 1024];

void use_host_stack() {
    stack_t stack{};
    stack.ss_sp = host_stack;
    stack.ss_size = sizeof(host_stack);
    require(sigaltstack(&stack, nullptr) == 0, "sigaltstack");
}

void require_no_stack() {
    stack_t stack{};
    require(sigaltstack(nullptr, &stack) == 0 && (stack.ss_flags & SS_DISABLE) != 0,
            "an alternate stack that the program has not set");
}

void require_host_stack() {
    stack_t stack{};
    require(sigaltstack(nullptr, &stack) == 0 && stack.ss_sp == host_stack &&
                stack.ss_size == sizeof(host_stack) && (stack.ss_flags & ~SS_ONSTACK) == 0,
            "not the program's alternate stack");
}

void segv_on_alternate_stack() {
    require_no_stack();
    use_host_stack();
    segv_handled(SA_ONSTACK);
    require_host_stack();
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    require(sigaltstack(&none, nullptr) == 0, "sigaltstack");
    require_no_stack();
}

void alternate_stack_after_fork() {
    wait_for_child(start_child([] {
        write_copied(at(64), 16);
        require_no_stack();
        use_host_stack();
        require_host_stack();
        guarded = region;
        set_action(SIGSEGV, open_page, SA_ONSTACK);
        require(mprotect(region, 64 * kPageBytes, PROT_READ) == 0, "mprotect");
        write_copied(region, 64);
        require(faults == 64, "a SIGSEGV of the program's own went astray");
        require_host_stack();
    }));
    require_no_stack();
}

// With SA_ONSTACK and no such stack a handler runs where the program is.
volatile uint64_t handler_at;
void note_place(int, siginfo_t*, void*) {
    unsigned char room[48 * 1024];
    *static_cast<volatile unsigned char*>(room) = 1;
    handler_at = reinterpret_cast<uint64_t>(room);
    write_copied(at(100), 4);
}

void on_stack_without_one() {
    set_action(SIGUSR1, note_place, SA_ONSTACK);
    wait_for_child(start_child([] {
        write_copied(region, 16);
        raise(SIGUSR1);
        const auto here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
        require(handler_at < here && here - handler_at < 256 * 1024,
                "the handler ran on another stack");
        require_no_stack();
    }));
}

// --- stacks --------------------------------------------------------------------------------------

void coroutine_of_64k() {
    write_on_stack_of(8 * kPageBytes);
}
void coroutine_of_8k() {
    write_on_stack_of(2 * kPageBytes);
}
void coroutine_of_4k() {
    write_on_stack_of(kPageBytes);
}

void small_thread_stack() {
    wait_for_child(start_child([] {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        require(pthread_attr_setstacksize(&attributes,
                                          static_cast<size_t>(sysconf(_SC_THREAD_STACK_MIN))) == 0,
                "stack size");
        pthread_t thread;
        require(pthread_create(
                    &thread, &attributes,
                    [](void*) -> void* {
                        account::store_to_shared(region, 64, 1);
                        return nullptr;
                    },
                    nullptr) == 0,
                "pthread_create");
        pthread_join(thread, nullptr);
        account::add_written(account::Kind::copied, region, 64, 1);
    }));
}

// --- forks ---------------------------------------------------------------------------------------

void fork_in_handler() {
    set_action(SIGUSR1, [](int, siginfo_t*, void*) {
        const pid_t child = fork();
        require(child >= 0, "fork");
        if (child == 0) {
            write_copied(region, 64);
            _exit(0);
        }
        wait_for_child(child);
    });
    raise(SIGUSR1);
    // And in a child's handler, on an alternate stack.
    use_host_stack();
    set_action(
        SIGUSR2,
        [](int, siginfo_t*, void*) {
            const pid_t child = fork();
            require(child >= 0, "fork");
            if (child == 0) {
                write_copied(at(64), 64);
                _exit(0);
            }
            wait_for_child(child);
        },
        SA_ONSTACK);
    wait_for_child(start_child([] {
        write_copied(region, 16);
        raise(SIGUSR2);
    }));
}

// A timer strikes anywhere, also in the shim.
volatile sig_atomic_t ticks = 0;
constexpr itimerval kOften{{0, 200}, {0, 200}};
void timer_everywhere() {
    set_action(
        SIGALRM,
        [](int, siginfo_t*, void*) {
            const int saved = errno;
            ticks = ticks + 1;
            // Its own stack and data are written from here, too.
            unsigned char room[2 * kPageBytes];
            *static_cast<volatile unsigned char*>(room) = static_cast<unsigned char>(ticks);
            errno = saved;
        },
        SA_RESTART);
    setitimer(ITIMER_REAL, &kOften, nullptr);
    for (int i = 0; i < 20; ++i) {
        wait_for_child(start_child([] {
            setitimer(ITIMER_REAL, &kOften, nullptr);
            account::store_to_shared(region, 256, 1);
            account::add_written(account::Kind::copied, region, 256, 1);
        }));
    }
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    require(ticks > 0, "the timer never struck");
}

const Case kCases[] = {
    {"trap-handled-before", trap_handled_before},
    {"trap-handled-after", trap_handled_after},
    {"trap-ignored", trap_ignored},
    {"trap-by-default", trap_by_default},
    {"trap-waited-for", trap_waited_for},
    {"trap-handler-cancelled", trap_handler_is_cancelled},
    {"trap-handler-changes-user", trap_handler_changes_user},
    {"segv-handled", segv_handled_here},
    {"segv-on-alternate-stack", segv_on_alternate_stack},
    {"alternate-stack-after-fork", alternate_stack_after_fork},
    {"on-stack-without-one", on_stack_without_one},
    {"coroutine-64k", coroutine_of_64k},
    {"coroutine-8k", coroutine_of_8k},
    {"coroutine-4k", coroutine_of_4k},
    {"small-thread-stack", small_thread_stack},
    {"fork-in-handler", fork_in_handler},
    {"timer-everywhere", timer_everywhere},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
