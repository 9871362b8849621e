// Runs a program to its end and keeps all that it said.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace cowscope::e2e {

struct RunOptions {
    std::string input;                     // on standard input
    std::vector<std::string> environment;  // NAME=VALUE; added to the caller's
    std::string folder;                    // where it runs; "": here
    // Called in the new process before exec; where it returns false, nothing is executed.
    std::function<bool()> before_exec;
    // Called once in the caller, as soon as the process exists.
    std::function<void(pid_t)> when_started;
    // Then the program and its process group are killed.
    std::chrono::seconds timeout{120};
};

struct RunResult {
    int wait_status = 0;  // as from waitpid(2)
    std::string out;
    std::string err;
    bool timed_out = false;
    long max_rss_kb = 0;  // of the program and those of its descendants that it waited for

    // As a shell says it: the exit status, or 128 + n for signal n.
    int status() const;
};

// The caller's LD_PRELOAD and COWSCOPE_* variables are left out. Throws std::runtime_error where no
// process can be made.
RunResult run_program(const std::vector<std::string>& command, const RunOptions& options = {});

}  // namespace cowscope::e2e
