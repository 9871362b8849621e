// The clocks that the recorder goes by, in nanoseconds.
#pragma once

#include <cstdint>
#include <ctime>

namespace cowscope {

inline uint64_t read_clock_ns(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

inline uint64_t monotonic_ns() {
    return read_clock_ns(CLOCK_MONOTONIC);
}

}  // namespace cowscope
