// A process that tells whether a signal came to this process alone or to all of its group.
//
// A signal says who sent it and never to whom: kill(2) with a process's number and with a group's
// look the same to who gets them, and so do a terminal's Ctrl-C and the hangup that goes to a
// session's leader alone. What was sent to the group has reached the recorded program by itself,
// and would reach it twice if it were passed on. So a child of this process stays in its group,
// blocks all signals and is asked which have come. The kernel signals a group's newest members
// first, so that what has reached this process has reached the listener before.
//
// It ends with this process, whatever happens.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <cstdint>

#include "base/file_descriptor.h"

namespace cowscope::record {

class GroupListener {
  public:
    // All signals are blocked. Without a listener (no process to be had) it knows nothing.
    GroupListener();
    ~GroupListener();
    GroupListener(const GroupListener&) = delete;
    GroupListener& operator=(const GroupListener&) = delete;

    bool is_there() const { return socket_.is_open(); }
    pid_t pid() const { return pid_; }

    // Whether the listener has had the same signal, from the same sender, since `since_ns`
    // (CLOCK_MONOTONIC). Each that it had is told once.
    bool has_heard(const siginfo_t& info, uint64_t since_ns);

    // This process is about to stop because `program`, a child of it that is not yet waited for,
    // has stopped. Where somebody continues the program alone, or ends it, the listener continues
    // this process.
    void watch(pid_t program);
    void end_watch() { watch(0); }

  private:
    FileDescriptor socket_;
    pid_t pid_ = -1;
    uint64_t asked_ = 0;
};

}  // namespace cowscope::record
