// Passes signals on that were meant for the recorded program: whoever started `cowscope run server`
// signals the number that it got, which is this process's.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstdint>

#include "record/group_listener.h"

namespace cowscope::record {

class SignalRelay {
  public:
    // `listener` must outlive this.
    explicit SignalRelay(GroupListener* listener) : listener_(*listener) {}

    // Who is to have them: a child that is not yet waited for.
    void set_program(pid_t program) { program_ = program; }

    // `info` is of a signal that this process has taken. It is passed on where it came to this
    // process alone.
    void take(const siginfo_t& info);

    // The program has stopped by `signal`: this process does, too, so that the shell or whoever
    // waits for it sees what it would see of the program. Returns once it was continued. All
    // signals are blocked.
    void stop_as_well(int signal);

  private:
    bool has_come_to_group(const siginfo_t& info);

    GroupListener& listener_;
    pid_t program_ = 0;
    // Of this process's last stop; before that a signal may have waited for long.
    uint64_t stopped_ns_ = 0;
    uint64_t continued_ns_ = 0;
};

}  // namespace cowscope::record
