// What the program does to itself must not cost whoever waits for it its status: the recorder looks
// at files and memory that may be anything, and where it crashes over them, it still waits for the
// program and ends with its status.
//
// A thread that crashes stops there for good, with whatever it holds; the others go on. Where they
// cannot, the crashed one ends this process, some seconds behind the program's end.
#pragma once

#include <sys/types.h>

#include <array>
#include <csignal>

namespace cowscope::observe {

class CrashGuard {
  public:
    CrashGuard() = default;
    CrashGuard(const CrashGuard&) = delete;
    CrashGuard& operator=(const CrashGuard&) = delete;
    // Actions are as before.
    ~CrashGuard();

    // From now on. `program` is a child of this process; the caller is the thread that takes what
    // is signalled to this process (signal_relay.h).
    void watch(pid_t program);
    // It was waited for.
    static void program_has_ended(int status);
    // In a thread that looks at what may be anything; all its signals are blocked.
    static void enter_thread();

  private:
    static constexpr std::array kFaults = {SIGSEGV, SIGBUS, SIGFPE, SIGILL,
                                           SIGABRT, SIGSYS, SIGTRAP};

    bool is_watching_ = false;
    std::array<struct sigaction, kFaults.size()> before_{};
};

}  // namespace cowscope::observe
