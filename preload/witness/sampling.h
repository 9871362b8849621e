// How many faults there are to one that the witness is told of: `mean` on average, and each event
// that is recorded then has `mean` as its weight.
//
// Auto is exact at first. From then on the mean rises in steps of four, so that the cost of a fault
// falls as there are more of them, and the number of events grows with the logarithm of the number
// of faults.
//
// A fixed gap between two events would go along with a loop that writes in the same order again and
// again: where a site writes every 64th page, it would be seen always or never. So of every `mean`
// faults of a thread one is picked at random: each fault is as likely as any other, whatever comes
// in between, and the weights sum up to the number of faults.
//
// Async-signal-safe; callers hold the process's lock. Lives in zeroed memory.
#pragma once

#include <cstdint>

namespace cowscope::witness {

// Events that a process records before auto begins to leave some out: at a share of one half they
// are worth a margin of 0.4 % (1.96 * sqrt(0.25 / 50,000)).
inline constexpr uint32_t kExactEvents = 50'000;
// Events of each step: 1.96 * sqrt(0.25 / 4,000) = 1.5 %. Each costs one and a half times as much
// as an exact one (trap.h).
inline constexpr uint32_t kEventsAStep = 4'000;
inline constexpr uint32_t kStepFactor = 4;
// 4 GiB between two events.
inline constexpr uint32_t kLargestMean = uint32_t{1} << 20;

class Sampling {
  public:
    // `fixed`: the mean for good; 0: auto.
    void start(uint32_t fixed, uint64_t seed) {
        fixed_ = fixed;
        mean_ = fixed == 0 ? 1 : fixed;
        left_ = kFaultsAnEvent * kExactEvents;
        random_ = seed | 1;
    }

    uint32_t mean() const { return mean_; }

    // The witness was told of a fault, of which an event was recorded or not. True where the mean
    // is to rise now.
    bool count(bool is_event) {
        if (fixed_ != 0 || mean_ == kLargestMean) return false;
        const uint32_t cost = is_event ? kFaultsAnEvent : 1;
        left_ = left_ > cost ? left_ - cost : 0;
        return left_ == 0;
    }
    void rise() {
        mean_ *= kStepFactor;
        left_ = kFaultsAnEvent * kEventsAStep;
    }
    // It could not rise; in a while it may.
    void stay(uint32_t mean) { mean_ = mean; }

    // From 0 to `bound` - 1.
    uint32_t pick(uint32_t bound) { return static_cast<uint32_t>(next() % bound); }
    // Which of the next `mean` faults (more than two) is told, 0 being the first, where that of the
    // ones before was `last`. Never two in a row: all the others are chosen in a way that makes
    // each of them as likely in the long run (rows and columns of the chances sum to one).
    uint32_t pick_after(uint32_t last, uint32_t mean) {
        const uint32_t others = mean - 1;
        const bool is_first = last != mean - 1 && pick(others) == 0;
        return is_first ? 0 : 1 + pick(others);
    }

  private:
    // A fault that is no copy costs a signal too, but no record.
    static constexpr uint32_t kFaultsAnEvent = 4;

    // xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators").
    uint64_t next() {
        random_ ^= random_ >> 12;
        random_ ^= random_ << 25;
        random_ ^= random_ >> 27;
        return (random_ * 0x2545f4914f6cdd1dU) >> 32;
    }

    uint32_t fixed_;
    uint32_t mean_;
    uint32_t left_;
    uint64_t random_;
};

}  // namespace cowscope::witness
