// Keeps all signals of this thread out while a program is recorded: its waiter takes them one by
// one (signal_relay.h).
//
// Behind the program's end they can still come, and what is left to do is to write its report: then
// SIGINT, SIGTERM, SIGQUIT and SIGHUP end this process with the program's own status, and others do
// nothing. Within a second of the end they count as part of it: who ends a program often signals
// twice (timeout(1), a container's runtime, a terminal).
#pragma once

#include <array>
#include <csignal>

#include "base/signal_mask.h"
#include "observe/crash_guard.h"

namespace cowscope::record {

class SignalGate {
  public:
    SignalGate() : before_(change_mask(SIG_SETMASK, kAllSignals)) {}
    SignalGate(const SignalGate&) = delete;
    SignalGate& operator=(const SignalGate&) = delete;
    // As it was at the start. What has come meanwhile is dropped.
    ~SignalGate();

    // The mask of this thread's start, which the program is to have.
    SignalMask mask_before() const { return before_; }
    // The program runs: it is waited for whatever happens here.
    void program_has_started(pid_t program) { guard_.watch(program); }
    // The program has ended with `status`, which this process will end with.
    void program_has_ended(int status);

  private:
    static constexpr std::array kEnding = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};

    SignalMask before_;
    observe::CrashGuard guard_;
    bool has_handlers_ = false;
    std::array<struct sigaction, kEnding.size()> actions_before_{};
};

}  // namespace cowscope::record
