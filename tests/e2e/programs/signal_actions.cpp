// Programs that set what they do with SIGTRAP in every way there is, and execute others with it.
// What they find is as it is without a recorder, or they end with status 98.
#include <dlfcn.h>
#include <sys/syscall.h>

#include <csignal>
#include <cstdint>
#include <string>

#include "asked_programs.h"
#include "interrupted_read.h"
#include "tree_cases.h"

// What is old is tested, too.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

using namespace tree;

extern "C" int __sigaction(int, const struct sigaction*, struct sigaction*);

namespace {

using Handler = void (*)(int);

volatile sig_atomic_t traps = 0;
volatile sig_atomic_t depth = 0;
volatile sig_atomic_t deepest = 0;
volatile sig_atomic_t blocked_in_handler = 0;
volatile uint64_t handler_at = 0;

void count_trap(int) {
    traps = traps + 1;
    handler_at = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
    depth = depth + 1;
    if (depth > deepest) deepest = depth;
    sigset_t now;
    sigprocmask(SIG_BLOCK, nullptr, &now);
    blocked_in_handler = sigismember(&now, SIGUSR1) == 1 ? 1 : 0;
    if (depth == 1 && traps < 100) raise(SIGTRAP);
    depth = depth - 1;
}

struct sigaction action_now() {
    struct sigaction action;
    require(sigaction(SIGTRAP, nullptr, &action) == 0, "sigaction");
    return action;
}

void set_action(Handler handler, int flags = 0, int also_blocked = 0) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    if (also_blocked != 0) sigaddset(&action.sa_mask, also_blocked);
    require(sigaction(SIGTRAP, &action, nullptr) == 0, "sigaction");
}

// --- every name ----------------------------------------------------------------------------------

struct Old {
    Handler handler;
    int mask;
    int flags;
};
struct Kernel {
    Handler handler;
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
};

// Each sets the handler and returns the one before.
Handler by_sigset(Handler handler) {
    return sigset(SIGTRAP, handler);
}
Handler by_signal(Handler handler) {
    return signal(SIGTRAP, handler);
}
Handler by_symbol(const char* name, Handler handler) {
    auto* function = reinterpret_cast<Handler (*)(int, Handler)>(dlsym(RTLD_DEFAULT, name));
    require(function != nullptr, name);
    return function(SIGTRAP, handler);
}
Handler by_bsd_signal(Handler handler) {
    return by_symbol("bsd_signal", handler);
}
Handler by_ssignal(Handler handler) {
    return by_symbol("ssignal", handler);
}
Handler by_sysv_signal(Handler handler) {
    return by_symbol("sysv_signal", handler);
}
Handler by_other_sysv_signal(Handler handler) {
    return by_symbol("__sysv_signal", handler);
}
Handler by_other_sigaction(Handler handler) {
    struct sigaction action {};
    struct sigaction old {};
    action.sa_handler = handler;
    require(__sigaction(SIGTRAP, &action, &old) == 0, "__sigaction");
    return old.sa_handler;
}
Handler by_sigvec(Handler handler) {
    // Of glibc before 2.21; new programs cannot be linked with it, nor find it without its version.
    void* symbol = dlsym(RTLD_DEFAULT, "sigvec");
    if (symbol == nullptr) symbol = dlvsym(RTLD_DEFAULT, "sigvec", "GLIBC_2.2.5");
    auto* function = reinterpret_cast<int (*)(int, const Old*, Old*)>(symbol);
    require(function != nullptr, "sigvec");
    const Old vector{handler, 0, 0};
    Old old{};
    require(function(SIGTRAP, &vector, &old) == 0, "sigvec");
    return old.handler;
}
Handler by_system_call(Handler handler) {
    // libc's own restorer is what a handler needs to return.
    Kernel like{};
    require(syscall(SYS_rt_sigaction, SIGUSR2, nullptr, &like, 8) == 0, "rt_sigaction");
    const Kernel action{handler, like.flags, like.restorer, 0};
    Kernel old{};
    require(syscall(SYS_rt_sigaction, SIGTRAP, &action, &old, 8) == 0, "rt_sigaction");
    Kernel now{};
    require(syscall(SYS_rt_sigaction, SIGTRAP, nullptr, &now, 8) == 0 && now.handler == handler,
            "rt_sigaction reads something else");
    return old.handler;
}

void set_by(Handler (*set)(Handler)) {
    wait_for_child(start_child([=] {
        signal(SIGUSR2, count_trap);
        write_copied(region, 16);
        require(set(SIG_DFL) == SIG_DFL, "SIGTRAP was not at its default");
        write_copied(at(16), 16);
        require(action_now().sa_handler == SIG_DFL, "SIGTRAP is not at its default");
        require(set(count_trap) == SIG_DFL, "not the disposition before");
        write_copied(at(32), 16);
        require(action_now().sa_handler == count_trap, "not the handler");
        traps = 100;
        raise(SIGTRAP);
        require(traps == 101, "the handler did not run");
        set(SIG_IGN);
        write_copied(at(48), 16);
        require(action_now().sa_handler == SIG_IGN, "SIGTRAP is not ignored");
        raise(SIGTRAP);
        require(set(SIG_DFL) == SIG_IGN, "not the disposition before");
    }));
}

void action_by_every_name() {
    set_by(by_sigset);
    set_by(by_signal);
    set_by(by_bsd_signal);
    set_by(by_ssignal);
    set_by(by_sysv_signal);
    set_by(by_other_sysv_signal);
    set_by(by_other_sigaction);
    set_by(by_sigvec);
    set_by(by_system_call);
    wait_for_child(start_child([] {
        write_copied(region, 16);
        require(sigignore(SIGTRAP) == 0 && action_now().sa_handler == SIG_IGN, "sigignore");
        write_copied(at(16), 16);
        require(sigset(SIGTRAP, SIG_HOLD) == SIG_IGN, "SIG_HOLD returns something else");
        require(sigset(SIGTRAP, SIG_DFL) == SIG_HOLD, "SIGTRAP was held");
        write_copied(at(32), 16);
    }));
    // The signals that end a program are the recorder's as well.
    wait_for_child(start_child([] {
        write_copied(region, 16);
        require(sigset(SIGTERM, SIG_IGN) == SIG_DFL, "SIGTERM was not at its default");
        require(by_symbol("bsd_signal", SIG_DFL) == SIG_DFL, "SIGTRAP was not at its default");
        require(sigset(SIGTERM, SIG_DFL) == SIG_IGN, "SIGTERM was not ignored");
    }));
}

// --- a child that shares the memory --------------------------------------------------------------

void reset_all(int way) {
    for (int signal = 1; signal < 32; ++signal) {
        if (signal == SIGKILL || signal == SIGSTOP) continue;
        struct sigaction action {};
        action.sa_handler = SIG_DFL;
        if (way == 0) sigaction(signal, &action, nullptr);
        if (way == 1) sigset(signal, SIG_DFL);
        if (way == 2) std::signal(signal, SIG_DFL);
    }
}

void reset_in_vfork() {
    wait_for_child(start_child([] { write_copied(region, 16); }));
    set_action(count_trap, SA_RESTART | SA_NODEFER);
    for (int way = 0; way < 4; ++way) {
        const pid_t child = vfork();
        if (child == 0) {
            reset_all(way);
            execl("/bin/true", "true", static_cast<char*>(nullptr));
            _exit(127);
        }
        int status = 0;
        require(waitpid(child, &status, 0) == child && status == 0, "vfork");
        require(action_now().sa_handler == count_trap, "a child changed its parent's action");
        traps = 100;
        raise(SIGTRAP);
        require(traps == 101, "the handler did not run");
    }
    // And its own is what it has set.
    const pid_t child = vfork();
    if (child == 0) {
        std::signal(SIGTRAP, SIG_IGN);
        _exit(action_now().sa_handler == SIG_IGN ? 0 : 1);
    }
    int status = 0;
    require(waitpid(child, &status, 0) == child && status == 0, "reads another's action");
    require(action_now().sa_handler == count_trap, "a child changed its parent's action");
    wait_for_child(start_child([] { write_copied(at(16), 16); }));
}

// --- flags ---------------------------------------------------------------------------------------

// A child whose witness is at work.
template <typename Work>
void in_child(Work work) {
    wait_for_child(start_child([&] {
        write_copied(region, 16);
        work();
        write_copied(at(16), 16);
    }));
}

void handler_flags() {
    in_child([] {
        traps = 100;
        set_action(count_trap);
        require(interrupted_read() == EINTR, "read is not interrupted");
        set_action(count_trap, SA_RESTART);
        require(interrupted_read() == 0, "read is interrupted");
        require(siginterrupt(SIGTRAP, 1) == 0, "siginterrupt");
        require(interrupted_read() == EINTR, "read is not interrupted after siginterrupt");
        signal(SIGTRAP, count_trap);
        require((action_now().sa_flags & SA_RESTART) == 0, "signal() after siginterrupt");
        siginterrupt(SIGTRAP, 0);
        require(interrupted_read() == 0, "read is interrupted after siginterrupt");
        require(traps == 104, "a SIGTRAP went astray");
    });
    in_child([] {
        const pid_t child = fork();
        if (child == 0) {
            traps = 100;
            set_action(count_trap, static_cast<int>(SA_RESETHAND));
            write_copied(at(32), 8);
            raise(SIGTRAP);
            require(traps == 101 && action_now().sa_handler == SIG_DFL, "not reset");
            write_copied(at(40), 8);
            raise(SIGTRAP);
            _exit(1);
        }
        int status = 0;
        require(waitpid(child, &status, 0) == child, "waitpid");
        require(WIFSIGNALED(status) && WTERMSIG(status) == SIGTRAP, "handled twice");
    });
    in_child([] {
        traps = 0;
        deepest = 0;
        set_action(count_trap);
        raise(SIGTRAP);
        require(deepest == 1 && blocked_in_handler == 0, "interrupts itself");
        traps = 100;
        deepest = 0;
        set_action(count_trap, 0, SIGUSR1);
        raise(SIGTRAP);
        require(blocked_in_handler == 1, "sa_mask");
        traps = 98;
        set_action(count_trap, SA_NODEFER);
        raise(SIGTRAP);
        require(deepest == 2, "does not interrupt itself");
    });
    in_child([] {
        static unsigned char other[64 * 1024];
        const auto start = reinterpret_cast<uint64_t>(other);
        stack_t stack{};
        stack.ss_sp = other;
        stack.ss_size = sizeof(other);
        require(sigaltstack(&stack, nullptr) == 0, "sigaltstack");
        traps = 100;
        set_action(count_trap);
        raise(SIGTRAP);
        require(handler_at - start >= sizeof(other), "on the alternate stack");
        write_copied(at(64), 8);
        set_action(count_trap, SA_ONSTACK);
        raise(SIGTRAP);
        require(handler_at - start < sizeof(other), "not on the alternate stack");
        write_copied(at(72), 8);
        const int flags = SA_ONSTACK | SA_RESTART;
        set_action(count_trap, flags);
        require(
            (action_now().sa_flags & (SA_ONSTACK | SA_RESTART | SA_SIGINFO | SA_NODEFER)) == flags,
            "flags read as others");
    });
    // An instruction's trap cannot be ignored.
    in_child([] {
        const pid_t child = fork();
        if (child == 0) {
            std::signal(SIGTRAP, SIG_IGN);
            write_copied(at(96), 8);
            __asm__ volatile("int3");
            _exit(1);
        }
        int status = 0;
        require(waitpid(child, &status, 0) == child, "waitpid");
        require(WIFSIGNALED(status) && WTERMSIG(status) == SIGTRAP, "int3 is ignored");
    });
}

// --- exec ----------------------------------------------------------------------------------------

void ignored_over_exec() {
    wait_for_child(start_child([] { write_copied(region, 16); }));
    ask_all(kDefault);
    std::signal(SIGTRAP, SIG_IGN);
    ask_all(kIgnored);
    // One that fails leaves all as it was.
    wait_for_child(start_child([] {
        write_copied(at(16), 16);
        execl("/nonexistent", "x", static_cast<char*>(nullptr));
        syscall(SYS_execve, "/nonexistent", question, environ);
        require(action_now().sa_handler == SIG_IGN, "not ignored any more");
        write_copied(at(32), 16);
        raise(SIGTRAP);
        std::signal(SIGTRAP, count_trap);
        execl("/nonexistent", "x", static_cast<char*>(nullptr));
        traps = 100;
        raise(SIGTRAP);
        require(traps == 101, "the handler did not run");
        write_copied(at(48), 16);
    }));
    std::signal(SIGTRAP, count_trap);
    ask_all(kDefault);
}

// What is blocked and pending stays so in the next program.
void blocked_over_exec() {
    const auto block = [] {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, nullptr);
    };
    const pid_t child = fork();
    if (child == 0) {
        block();
        account::store_to_shared(region, 4, 1);
        question[1] = const_cast<char*>("unblock");
        execv(self, question);
        _exit(127);
    }
    require(status_of(child) == kDefault, "a signal is pending behind exec");
    wait_for_child(start_child([&] {
        sigset_t none;
        sigemptyset(&none);
        block();
        execv("/nonexistent", question);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        write_copied(at(64), 100);
    }));
}

const Case kCases[] = {
    {"action-by-every-name", action_by_every_name},
    {"reset-in-vfork", reset_in_vfork},
    {"handler-flags", handler_flags},
    {"ignored-over-exec", ignored_over_exec},
    {"blocked-over-exec", blocked_over_exec},
};

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "unblock") == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        return kDefault;
    }
    if (argc == 2 && std::strcmp(argv[1], "trap?") == 0) {
        return action_now().sa_handler == SIG_IGN ? kIgnored : kDefault;
    }
    prepare_questions();
    return run_named(kCases, argc, argv);
}
