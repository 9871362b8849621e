// Writes the same pages while others share them and when nobody does any more, and tells as JSON
// how many of its writes copied and how many did not.
//
//   last_owner KIND PAGES [--threads | --wait CALL]
//     ended       a child ends, and then the parent writes every page
//     anew        the same, then a child lives while the parent writes every page again
//     grandchild  a child ends and leaves a child of its own behind, which lives while the parent
//                 writes every page
//     killed      as ended, and then the parent kills itself
//   --wait        the call by which it waits for a child: wait, waitpid, wait3, wait4 or waitid
//   --threads     another thread forks children that end at once, as often as there is time
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

constexpr size_t kPageBytes = 4096;
size_t pages = 0;
volatile char* memory = nullptr;

void write_all() {
    for (size_t i = 0; i < pages; ++i) memory[i * kPageBytes] = static_cast<char>(i + 2);
}

std::string wait_call = "waitpid";

pid_t wait_by_call(pid_t child, int* status) {
    if (wait_call == "wait") return wait(status);
    if (wait_call == "wait3") return wait3(status, 0, nullptr);
    if (wait_call == "wait4") return wait4(child, status, 0, nullptr);
    if (wait_call == "waitid") {
        siginfo_t info{};
        *status = waitid(P_PID, static_cast<id_t>(child), &info, WEXITED) == 0 ? info.si_status : 1;
        return info.si_pid;
    }
    return waitpid(child, status, 0);
}

void wait_for(pid_t child) {
    int status = 0;
    if (wait_by_call(child, &status) != child || status != 0) std::exit(3);
}

// Ends when nobody holds the other end of the pipe any more.
struct Leash {
    int ends[2];
    Leash() {
        if (pipe(ends) != 0) std::exit(4);
    }
    void follow() {
        close(ends[1]);
        char byte = 0;
        if (read(ends[0], &byte, 1) != 0) _exit(5);
        close(ends[0]);
    }
    void drop() {
        close(ends[0]);
        close(ends[1]);
    }
};

void fork_child_that_ends() {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    wait_for(child);
}

void tell(pid_t pid, size_t copied, size_t alone) {
    std::printf("{\"pid\": %d, \"copied\": %zu, \"alone\": %zu}\n", static_cast<int>(pid), copied,
                alone);
    std::fflush(stdout);
}

int run(const std::string& kind) {
    if (kind == "ended" || kind == "killed" || kind == "anew") {
        fork_child_that_ends();
        write_all();
        if (kind == "anew") {
            Leash leash;
            const pid_t child = fork();
            if (child == 0) {
                leash.follow();
                _exit(0);
            }
            write_all();
            leash.drop();
            wait_for(child);
        }
        tell(getpid(), kind == "anew" ? pages : 0, pages);
        if (kind == "killed") raise(SIGKILL);
        return 0;
    }
    if (kind == "grandchild") {
        Leash leash;
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        const pid_t child = fork();
        if (child == 0) {
            if (fork() == 0) {
                leash.follow();
                _exit(0);
            }
            _exit(0);
        }
        wait_for(child);
        write_all();
        leash.drop();
        wait(nullptr);
        tell(getpid(), pages, 0);
        return 0;
    }
    return 2;
}

}  // namespace

int main(int count, char** words) {
    if (count < 3) return 2;
    pages = std::strtoull(words[2], nullptr, 10);
    void* mapped = mmap(nullptr, pages * kPageBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return 1;
    madvise(mapped, pages * kPageBytes, MADV_NOHUGEPAGE);
    memory = static_cast<volatile char*>(mapped);
    for (size_t i = 0; i < pages; ++i) memory[i * kPageBytes] = 1;

    if (count > 4 && std::strcmp(words[3], "--wait") == 0) wait_call = words[4];

    std::atomic<bool> is_done{false};
    std::thread forks;
    if (count > 3 && std::strcmp(words[3], "--threads") == 0) {
        forks = std::thread([&] {
            while (!is_done) {
                const pid_t child = fork();
                if (child == 0) _exit(0);
                if (child > 0) waitpid(child, nullptr, 0);
            }
        });
    }
    const int status = run(words[1]);
    is_done = true;
    if (forks.joinable()) forks.join();
    return status;
}
