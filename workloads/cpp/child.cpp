#include "child.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "private_memory.h"

namespace cowscope::workload {
namespace {

int64_t now_ns(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Anonymous shared memory is zero-filled, which is a Child of which nothing is known yet.
std::span<Child> make_shared_children(size_t count) {
    void* memory = mmap(nullptr, count * sizeof(Child), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        std::fprintf(stderr, "string_map: no memory to share with children: %s\n",
                     std::strerror(errno));
        std::exit(1);
    }
    return {static_cast<Child*>(memory), count};
}

void pause_for(uint32_t seconds) {
    timespec left{static_cast<time_t>(seconds), 0};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

void measure_reading(const Options& options, const std::function<Reading()>& read, Child* child) {
    child->start_cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    pause_for(options.pause_seconds);
    child->private_before_kb = options.show_memory ? private_memory_kb() : -1;
    const int64_t wall_start_ns = now_ns(CLOCK_MONOTONIC);
    const int64_t cpu_start_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    child->reading = read();
    child->cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_start_ns;
    child->wall_ns = now_ns(CLOCK_MONOTONIC) - wall_start_ns;
    child->private_after_kb = options.show_memory ? private_memory_kb() : -1;
    pause_for(options.pause_seconds);
}

// Comes back only if the child is to return from main().
void leave(ChildExit how, int status) {
    switch (how) {
        case ChildExit::exit:
            std::exit(status);
        case ChildExit::underscore_exit:
            _exit(status);
        case ChildExit::quick_exit:
            std::quick_exit(status);
        case ChildExit::return_:
            return;
    }
}

void wait_for(Child* child) {
    while (waitpid(child->pid, &child->wait_status, 0) < 0) {
        if (errno == EINTR) continue;
        std::fprintf(stderr, "string_map: cannot wait for child %d: %s\n",
                     static_cast<int>(child->pid), std::strerror(errno));
        std::exit(1);
    }
}

}  // namespace

Outcome run_children(const Options& options, uint64_t expected_values,
                     const std::function<Reading()>& read) {
    const std::span<Child> children = make_shared_children(options.children);
    int fork_error = 0;
    for (Child& child : children) {
        const int64_t fork_start_ns = now_ns(CLOCK_MONOTONIC);
        const int64_t fork_start_cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        const pid_t pid = fork();
        if (pid == 0) {
            measure_reading(options, read, &child);
            child.finished = child.reading.values == expected_values;
            const int status = child.finished ? 0 : 1;
            leave(options.child_exit, status);
            return {true, status, {}};
        }
        if (pid < 0) {
            fork_error = errno;
            break;
        }
        child.pid = pid;
        child.fork_cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - fork_start_cpu_ns;
        child.fork_ns = now_ns(CLOCK_MONOTONIC) - fork_start_ns;
    }
    for (Child& child : children) {
        if (child.pid != 0) wait_for(&child);
    }
    if (fork_error != 0) {
        std::fprintf(stderr, "string_map: cannot fork: %s\n", std::strerror(fork_error));
    }
    return {false, 0, children};
}

}  // namespace cowscope::workload
