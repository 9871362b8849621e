// The children: what each does and what becomes of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <span>

#include "options.h"

namespace cowscope::workload {

// What a child read.
struct Reading {
    uint64_t values = 0;
    uint64_t bytes = 0;
};

// In memory shared by parent and children: a child fills it, the parent reads it after its end.
struct Child {
    pid_t pid;        // 0: could not be forked
    int wait_status;  // as from waitpid(); valid if pid is not 0
    bool finished;    // read every value; the rest is valid only then
    Reading reading;
    int64_t private_before_kb;  // around the reading; -1: unknown
    int64_t private_after_kb;
    int64_t wall_ns;  // of the reading alone
    int64_t cpu_ns;
    int64_t start_cpu_ns;  // of the child, until its fork() had returned
    int64_t fork_ns;       // of the parent's call; written by the parent
    int64_t fork_cpu_ns;   // the same in the parent's CPU time

    bool succeeded() const { return pid != 0 && wait_status == 0 && finished; }
};

struct Outcome {
    // Set in a child that is to leave by returning from main(), with this status.
    bool in_child = false;
    int child_status = 0;
    // In the parent, all of them ended. Lives as long as the program.
    std::span<const Child> children;
};

// Forks options.children children at once, each of which calls `read`, and waits for them. A child
// that does not read `expected_values` values fails. Between the first fork and the last child's
// end neither the parent nor a child allocates or frees memory.
Outcome run_children(const Options& options, uint64_t expected_values,
                     const std::function<Reading()>& read);

}  // namespace cowscope::workload
