// setitimer(2) and alarm(2) outlast exec but not fork: a program that is started in another
// process's place is to have them, as in `perl -e 'alarm 5; exec @ARGV' cowscope run ...`.
#pragma once

#include <sys/time.h>

#include <array>
#include <cstddef>

namespace cowscope::record {

class IntervalTimers {
  public:
    // Takes this process's; it has none any more.
    IntervalTimers() {
        for (size_t i = 0; i < kTimers.size(); ++i) {
            const itimerval none{};
            setitimer(kTimers[i], &none, &values_[i]);
        }
    }
    // In the forked child.
    void set() const {
        for (size_t i = 0; i < kTimers.size(); ++i) {
            const itimerval& value = values_[i];
            if (value.it_value.tv_sec != 0 || value.it_value.tv_usec != 0) {
                setitimer(kTimers[i], &value, nullptr);
            }
        }
    }

  private:
    static constexpr std::array kTimers = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
    std::array<itimerval, kTimers.size()> values_{};
};

}  // namespace cowscope::record
