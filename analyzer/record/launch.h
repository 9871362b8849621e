// Starts the program to record and waits for it, in a way that it cannot tell from being started
// directly but for its environment.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "record/signal_gate.h"

namespace cowscope::record {

struct Ending {
    bool by_signal = false;
    int value = 0;  // exit status or signal number

    // What a shell would report: 128 + n for signal n.
    int status() const;
};

struct LaunchResult {
    pid_t pid = 0;
    Ending ending;
    uint64_t start_ns = 0;  // CLOCK_MONOTONIC
    uint64_t end_ns = 0;
};

// Called once in the parent when the pid of the program is known and the program has not started;
// returns its environment ("NAME=VALUE" each). If it throws, the program is not started.
using PrepareEnvironment = std::function<std::vector<std::string>(pid_t pid)>;

// Called again and again while the program runs, in a thread of its own; returns after how many ns
// at the latest to call it again. When launch() returns, it has returned. An exception ends it for
// good.
using Meanwhile = std::function<uint64_t()>;

// `command` is not empty; command[0] is looked up in PATH like execvp(3). `started` is called once
// when the program runs. While the program runs, what is signalled to this process alone is passed
// on to it (signal_relay.h), this process stops and goes on with it, and other children are reaped.
// Behind the program's end `gate` keeps this process alive. Throws cowscope::Error if the program
// cannot be started.
LaunchResult launch(SignalGate* gate, const std::vector<std::string>& command,
                    const PrepareEnvironment& prepare, const std::function<void()>& started,
                    const Meanwhile& meanwhile = {});

}  // namespace cowscope::record
