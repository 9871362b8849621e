// How work grows with its input. Times of one run are compared with each other alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <ctime>

namespace cowscope {

// CPU time of this thread in seconds, the least of five.
template <typename Work>
double cpu_seconds_of(const Work& work) {
    double least = 0;
    for (int i = 0; i < 5; ++i) {
        timespec before;
        timespec after;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        work();
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        const double seconds = static_cast<double>(after.tv_sec - before.tv_sec) +
                               static_cast<double>(after.tv_nsec - before.tv_nsec) * 1e-9;
        least = i == 0 ? seconds : std::min(least, seconds);
    }
    return least;
}

// Eight times the input: work in proportion takes 8 times as long, quadratic work 64 times. The
// bound is their geometric mean.
inline constexpr size_t kGrowth = 8;
inline constexpr double kInProportion = 22.6;

}  // namespace cowscope
