#include "record/signal_gate.h"

#include <unistd.h>

#include "base/clock.h"

namespace cowscope::record {

namespace {

constexpr uint64_t kEchoNs = 1'000'000'000;

// Written before the handler is there.
int status_of_program = 0;
uint64_t ended_ns = 0;

void end_with_status(int) {
    if (monotonic_ns() - ended_ns > kEchoNs) _exit(status_of_program);
}

}  // namespace

SignalGate::~SignalGate() {
    siginfo_t info;
    while (wait_for_signal(kAllSignals, &info, 0) != 0) {
    }
    if (has_handlers_) {
        for (size_t i = 0; i < kEnding.size(); ++i) {
            sigaction(kEnding[i], &actions_before_[i], nullptr);
        }
    }
    change_mask(SIG_SETMASK, before_);
}

void SignalGate::program_has_ended(int status) {
    status_of_program = status;
    ended_ns = monotonic_ns();
    SignalMask ending = 0;
    for (size_t i = 0; i < kEnding.size(); ++i) {
        struct sigaction action {};
        action.sa_handler = end_with_status;
        action.sa_flags = SA_RESTART;
        sigaction(kEnding[i], &action, &actions_before_[i]);
        ending |= mask_of(kEnding[i]);
    }
    has_handlers_ = true;
    observe::CrashGuard::program_has_ended(status);
    change_mask(SIG_UNBLOCK, ending);
}

}  // namespace cowscope::record
