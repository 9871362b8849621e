// Other ways to fork than fork(), and other programs: fork_ways CASE prints the account of what was
// copied.
#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "tree_cases.h"

using namespace tree;

namespace {

void bare_fork() {
    const pid_t child = _Fork();
    require(child >= 0, "_Fork");
    if (child == 0) {
        write_copied(region, 96);
        wait_for_step(kRelease);
        _exit(0);
    }
    write_copied(at(96), 64);
    reach_step(kRelease);
    wait_for_child(child);
}

int be_clone(void*) {
    write_copied(region, 96);
    const int64_t own = descriptors();
    wait_for_child(start_child([own] { note_figure("left open", descriptors() - own); }));
    reach_step(kChildDone);
    wait_for_step(kRelease);
    return 0;
}
// The parent is watched already, and goes on being watched.
void clone_with(int flags) {
    constexpr size_t kStackPages = 64;
    unsigned char* stack = map(kStackPages);
    wait_for_child(start_child([] { write_copied(region, 32); }));
    const int child = clone(be_clone, stack + kStackPages * kPageBytes, flags | SIGCHLD, nullptr);
    require(child > 0, "clone");
    wait_for_step(kChildDone);
    write_copied(at(96), 64);
    reach_step(kRelease);
    wait_for_child(child);
    wait_for_child(start_child([] { write_copied(region, 32); }));
}
void clone_plain() {
    clone_with(0);
}
// Parent and child have the same descriptors.
void clone_sharing_descriptors() {
    clone_with(CLONE_FILES | CLONE_FS);
}

// Of the program's file, so that only the memory of who forked says whether a page was inherited.
constexpr size_t kDataPages = 40;
alignas(kPageBytes) unsigned char data[(kDataPages + 1) * kPageBytes] = {1};

void touch_data() {
    for (size_t i = 0; i < kDataPages; ++i) {
        const_cast<volatile unsigned char*>(data)[i * kPageBytes] = 2;
    }
}

int write_inherited_data(void*) {
    write_copied(data, kDataPages);
    return 0;
}

// The kernel's parent of the second child is not the process that called clone().
void clone_as_sibling() {
    constexpr size_t kStackPages = 64;
    unsigned char* stack = map(kStackPages);
    const pid_t forker = start_child([stack] {
        touch_data();
        const int child = clone(write_inherited_data, stack + kStackPages * kPageBytes,
                                CLONE_PARENT | SIGCHLD, nullptr);
        require(child > 0, "clone");
        note_figure("sibling", child);
        reach_step(kChildDone);
        wait_for_step(kRelease);
    });
    wait_for_step(kChildDone);
    wait_for_child(static_cast<pid_t>(account::book->figures[0].value));
    reach_step(kRelease);
    wait_for_child(forker);
}

// There the parent has no number at all.
void fork_into_pid_namespace() {
    wait_for_child(start_child([] {
        touch_data();
        const bool is_in = unshare(CLONE_NEWPID) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0;
        note_figure("has namespace", is_in ? 1 : 0);
        if (!is_in) return;
        wait_for_child(start_child([] { write_inherited_data(nullptr); }));
    }));
}

// What nobody announces is left alone, and its own forks start from there.
void raw_fork() {
    const auto child = static_cast<pid_t>(syscall(SYS_fork));
    require(child >= 0, "raw fork");
    if (child == 0) {
        sigset_t blocked;
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGUSR2);
        sigprocmask(SIG_SETMASK, &blocked, nullptr);
        account::store_to_shared(region, 96, 1);
        const pid_t grandchild = start_child([] {
            sigset_t now;
            sigprocmask(SIG_SETMASK, nullptr, &now);
            note_figure("still blocked", sigismember(&now, SIGUSR2));
            account::store_to_shared(region, 96, 1);
        });
        sigset_t now;
        sigprocmask(SIG_SETMASK, nullptr, &now);
        note_figure("still blocked", sigismember(&now, SIGUSR2));
        wait_for_child(grandchild);
        std::exit(0);
    }
    wait_for_child(child);
    wait_for_child(start_child([] { write_copied(region, 96); }));
}

// Every program has its first forks once, so each round is a program of its own: this one again.
char self[] = "/proc/self/exe";
char first_forks_once[] = "first-forks-once";

void first_forks_at_once() {
    constexpr int kRounds = 100;
    int64_t killed = 0;
    for (int round = 0; round < kRounds; ++round) {
        char* const command[] = {self, first_forks_once, nullptr};
        pid_t child = 0;
        require(posix_spawn(&child, self, nullptr, nullptr, command, environ) == 0, "spawn");
        int status = 0;
        require(waitpid(child, &status, 0) == child && WIFEXITED(status), "a round");
        killed += WEXITSTATUS(status);
    }
    note_figure("killed", killed);
}

// Ends with the number of children that did not end well.
void fork_from_threads_at_once() {
    constexpr int kThreads = 4;
    std::atomic<int> ready{0};
    std::atomic<int> killed{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            ++ready;
            while (ready != kThreads) {
            }
            const pid_t child = fork();
            require(child >= 0, "fork");
            if (child == 0) {
                account::store_to_shared(region, 32, 1);
                _exit(0);
            }
            int status = 0;
            require(waitpid(child, &status, 0) == child, "waitpid");
            if (status != 0) ++killed;
        });
    }
    for (std::thread& thread : threads) thread.join();
    std::exit(killed);
}

// --- other programs ------------------------------------------------------------------------------

char program[] = "/bin/true";
char* const arguments[] = {program, nullptr};

void exec_at_once() {
    for (int i = 0; i < 10; ++i) {
        const pid_t child = fork();
        require(child >= 0, "fork");
        if (child == 0) {
            execv(program, arguments);
            _exit(1);
        }
        wait_for_child(child);
    }
}

void programs_only() {
    const pid_t child = vfork();
    if (child == 0) {
        execv(program, arguments);
        _exit(1);
    }
    require(child > 0, "vfork");
    wait_for_child(child);
    pid_t spawned = 0;
    require(posix_spawn(&spawned, program, nullptr, nullptr, arguments, environ) == 0, "spawn");
    wait_for_child(spawned);
    note_figure("system", std::system("exit 3"));
    FILE* output = popen("echo hello", "r");
    require(output != nullptr, "popen");
    char line[16] = "";
    require(std::fgets(line, sizeof(line), output) != nullptr, "fgets");
    note_figure("popen", std::strcmp(line, "hello\n"));
    note_figure("pclose", pclose(output));
    write_kept(region, kPages);
}

const Case kCases[] = {
    {"_Fork", bare_fork},
    {"clone", clone_plain},
    {"clone-files", clone_sharing_descriptors},
    {"clone-parent", clone_as_sibling},
    {"pid-namespace", fork_into_pid_namespace},
    {"raw-fork", raw_fork},
    {"first-forks", first_forks_at_once},
    {first_forks_once, fork_from_threads_at_once},
    {"exec", exec_at_once},
    {"programs", programs_only},
};

}  // namespace

int main(int argc, char** argv) {
    return run_named(kCases, argc, argv);
}
