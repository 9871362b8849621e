// Every way in which a process ends: endings HOW prints the account of what the child had copied
// and of how its parent saw it end; endings group READY waits with its children for whoever ends
// them, when it has made the file READY.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "account.h"

using account::fill;
using account::kPageBytes;
using account::map;
using account::require;
using account::start_child;
using account::wait_for_child;
using account::write_copied;

namespace {

constexpr size_t kPages = 256;
constexpr size_t kWritten = 192;
constexpr size_t kLater = 32;  // on the way out
constexpr int kStatus = 7;
constexpr size_t kReady = 0;
constexpr size_t kChildren = 3;

unsigned char* region;

void write_later() {
    write_copied(region + kWritten * kPageBytes, kLater);
}

char program[] = "/bin/true";
char* const arguments[] = {program, nullptr};

void by_return() {}
void by_exit() {
    std::exit(kStatus);
}
void by_exit_handlers() {
    std::atexit(write_later);
    std::exit(kStatus);
}
void by_low_exit() {
    _exit(kStatus);
}
void by_quick_exit() {
    std::at_quick_exit(write_later);
    std::quick_exit(kStatus);
}
void by_abort() {
    std::abort();
}
void by_exec() {
    execv(program, arguments);
}
void by_failed_exec() {
    char nowhere[] = "/nowhere";
    char* const words[] = {nowhere, nullptr};
    execv(nowhere, words);
    write_later();
    _exit(kStatus);
}
void by_raw_exit() {
    syscall(SYS_exit_group, kStatus);
}
void by_raw_exec() {
    syscall(SYS_execve, program, arguments, environ);
}

void by_signal(int signal) {
    raise(signal);
    account::fail("the signal did not end the process");
}
void by_term() {
    by_signal(SIGTERM);
}
void by_int() {
    by_signal(SIGINT);
}
void by_hup() {
    by_signal(SIGHUP);
}
void by_quit() {
    by_signal(SIGQUIT);
}
void by_abrt() {
    by_signal(SIGABRT);
}
void by_alrm() {
    by_signal(SIGALRM);
}
void by_usr1() {
    by_signal(SIGUSR1);
}
void by_pipe() {
    by_signal(SIGPIPE);
}
void by_trap() {
    by_signal(SIGTRAP);
}
void by_kill() {
    by_signal(SIGKILL);
}

void by_alarm_clock() {
    const itimerval soon = {{0, 0}, {0, 10'000}};
    setitimer(ITIMER_REAL, &soon, nullptr);
    while (true) pause();
}
void by_null() {
    volatile int* volatile nothing = nullptr;
    *nothing = 1;
}
void by_write_to_constant() {
    // The page is there, shared, and not to be written.
    require(mprotect(region, kPageBytes, PROT_READ) == 0, "mprotect");
    *static_cast<volatile unsigned char*>(region) = 1;
}
[[gnu::noinline]] int recurse(volatile unsigned char* above) {
    volatile unsigned char room[kPageBytes];
    room[0] = above[0];
    return room[0] == 0 ? 0 : recurse(room) + room[0];  // it is never 0
}
void by_stack_overflow() {
    volatile unsigned char start[1] = {1};
    account::note_figure("never", recurse(start));
}

// In a handler of its own, as many programs clean up.
void on_signal(int) {
    write_later();
    std::exit(kStatus);
}
void by_handler() {
    signal(SIGTERM, on_signal);
    raise(SIGTERM);
}
void on_signal_again(int number) {
    write_later();
    signal(number, SIG_DFL);
    raise(number);
}
void by_handler_and_default() {
    signal(SIGTERM, on_signal_again);
    raise(SIGTERM);
}

// The others go on writing, but to no page that is in the account.
std::thread start_writer() {
    return std::thread([] {
        volatile unsigned char* own = map(64);
        while (true) {
            for (size_t i = 0; i < 64; ++i) own[i * kPageBytes] = 1;
        }
    });
}
void by_exit_beside_threads() {
    start_writer().detach();
    start_writer().detach();
    std::exit(kStatus);
}
void by_term_beside_threads() {
    start_writer().detach();
    start_writer().detach();
    by_term();
}
void by_term_of_a_thread() {
    std::thread([] { by_term(); }).join();
}
void by_last_thread() {
    std::thread([] {
        usleep(10'000);
        write_later();
    }).detach();
    pthread_exit(nullptr);
}

struct Ending {
    const char* name;
    void (*end)();
};
const Ending kEndings[] = {
    {"return", by_return},
    {"exit", by_exit},
    {"exit-handlers", by_exit_handlers},
    {"_exit", by_low_exit},
    {"quick_exit", by_quick_exit},
    {"abort", by_abort},
    {"exec", by_exec},
    {"failed-exec", by_failed_exec},
    {"raw-exit", by_raw_exit},
    {"raw-exec", by_raw_exec},
    {"TERM", by_term},
    {"INT", by_int},
    {"HUP", by_hup},
    {"QUIT", by_quit},
    {"ABRT", by_abrt},
    {"ALRM", by_alrm},
    {"USR1", by_usr1},
    {"PIPE", by_pipe},
    {"TRAP", by_trap},
    {"KILL", by_kill},
    {"alarm-clock", by_alarm_clock},
    {"null", by_null},
    {"constant", by_write_to_constant},
    {"stack-overflow", by_stack_overflow},
    {"handler", by_handler},
    {"handler-and-default", by_handler_and_default},
    {"exit-beside-threads", by_exit_beside_threads},
    {"TERM-beside-threads", by_term_beside_threads},
    {"TERM-of-a-thread", by_term_of_a_thread},
    {"last-thread", by_last_thread},
};

// Until somebody ends all of it.
[[noreturn]] void wait_in_a_group(const char* ready) {
    for (size_t i = 0; i < kChildren; ++i) {
        start_child([i] {
            write_copied(region + i * kPageBytes, kWritten);
            account::reach_step(kReady);
            while (true) pause();
        });
    }
    account::wait_for_step(kReady, kChildren);
    account::print_book();
    require(open(ready, O_CREAT | O_WRONLY, 0600) >= 0, "create the file");
    while (true) pause();
}

}  // namespace

int main(int argc, char** argv) {
    require(argc >= 2, "usage: endings HOW");
    account::open_book();
    region = map(kPages);
    fill(region, kPages);
    if (std::strcmp(argv[1], "group") == 0) {
        require(argc == 3, "usage: endings group READY");
        wait_in_a_group(argv[2]);
    }
    for (const Ending& each : kEndings) {
        if (std::strcmp(each.name, argv[1]) != 0) continue;
        const pid_t child = fork();
        require(child >= 0, "fork");
        if (child == 0) {
            write_copied(region, kWritten);
            each.end();
            return kStatus;
        }
        wait_for_child(child);
        account::print_book();
        return 0;
    }
    account::fail("no such ending");
}
