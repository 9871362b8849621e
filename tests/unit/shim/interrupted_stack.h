// Stacks of a known shape that a signal, SIGUSR1, interrupts.
#pragma once

#include <signal.h>

namespace cowscope::test {

// Takes SIGUSR1 as long as it lives.
class SignalTaker {
  public:
    explicit SignalTaker(void (*take)(int, siginfo_t*, void*)) {
        struct sigaction action {};
        action.sa_sigaction = take;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGUSR1, &action, &before_);
    }
    ~SignalTaker() { sigaction(SIGUSR1, &before_, nullptr); }
    SignalTaker(const SignalTaker&) = delete;
    SignalTaker& operator=(const SignalTaker&) = delete;

  private:
    struct sigaction before_ {};
};

// `depth` frames of its own above the one that raises the signal.
__attribute__((noinline)) inline int recurse(int depth) {
    volatile int keep = depth;
    if (depth == 0) {
        raise(SIGUSR1);
    } else {
        recurse(depth - 1);
    }
    return keep;
}

}  // namespace cowscope::test
