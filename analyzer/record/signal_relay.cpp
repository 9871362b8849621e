#include "record/signal_relay.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/pass_signal.h"
#include "base/signal_mask.h"

namespace cowscope::record {

namespace {

// Behind that a signal that the listener has had is no other one's echo.
constexpr uint64_t kEchoNs = 1'000'000'000;

// What the kernel sends to this process for what this process did.
bool is_own_business(const siginfo_t& info) {
    switch (info.si_signo) {
        case SIGCHLD:
        case SIGXCPU:
            return !is_sent_by_process(info);
        // Sent in this process's own name, send_sig() in the kernel.
        case SIGPIPE:
        case SIGXFSZ:
            return info.si_code == SI_USER && info.si_pid == getpid();
        default:
            return false;
    }
}

// Whether the program would get what is sent to this process's group.
bool is_reached_through_group(pid_t program) {
    return getpgid(program) == getpgrp();
}

}  // namespace

void SignalRelay::take(const siginfo_t& info) {
    if (program_ <= 0 || is_own_business(info)) return;
    // Its own, to continue this process.
    if (info.si_signo == SIGCONT && is_sent_by_process(info) && info.si_pid == listener_.pid()) {
        return;
    }
    if (has_come_to_group(info)) {
        // A program that has made a group of its own (a shell) would be the leader of this
        // process's group if it had been started directly; where this one leads none, it would have
        // left the group just so.
        const bool would_lead = getpgrp() == getpid();
        if (would_lead && !is_reached_through_group(program_)) pass_signal(program_, info);
        return;
    }
    pass_signal(program_, info);
}

bool SignalRelay::has_come_to_group(const siginfo_t& info) {
    uint64_t since_ns = monotonic_ns() - kEchoNs;
    if (since_ns < continued_ns_) since_ns = std::min(since_ns, stopped_ns_ - kEchoNs);
    if (listener_.has_heard(info, since_ns)) return true;
    // Terminals signal groups.
    return !listener_.is_there() && !is_sent_by_process(info);
}

void SignalRelay::stop_as_well(int signal) {
    // Somebody has continued this process meanwhile, which goes to the program first.
    if ((pending_signals() & mask_of(SIGCONT)) != 0) return;
    listener_.watch(program_);
    stopped_ns_ = monotonic_ns();
    struct sigaction before {};
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    if (signal != SIGSTOP) sigaction(signal, &standard, &before);
    kill(getpid(), signal);
    change_mask(SIG_UNBLOCK, mask_of(signal));
    // Here it stops. Not at all as a container's first process, or where nobody could continue it
    // (an orphaned group): neither would the program have stopped there.
    change_mask(SIG_BLOCK, mask_of(signal));
    if (signal != SIGSTOP) sigaction(signal, &before, nullptr);
    continued_ns_ = monotonic_ns();
    listener_.end_watch();
}

}  // namespace cowscope::record
