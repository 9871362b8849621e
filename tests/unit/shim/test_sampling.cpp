#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/catch.h"
#include "witness/sampling.h"

namespace {

using namespace cowscope::witness;

Sampling started(uint32_t fixed, uint64_t seed) {
    Sampling sampling{};
    sampling.start(fixed, seed);
    return sampling;
}

}  // namespace

TEST_CASE("of every block of faults one is picked, each as likely, never two in a row",
          "[sampling]") {
    const uint32_t mean = GENERATE(3u, 4u, 5u, 16u, 64u);
    CAPTURE(mean);
    Sampling sampling = started(mean, 12345);
    constexpr uint64_t kBlocks = 200'000;
    std::vector<uint64_t> picks(mean);
    uint32_t last = mean - 1;
    for (uint64_t i = 0; i < kBlocks; ++i) {
        const uint32_t picked = sampling.pick_after(last, mean);
        REQUIRE(picked < mean);
        REQUIRE(mean - last + picked >= 2);
        ++picks[picked];
        last = picked;
    }
    const double expected = static_cast<double>(kBlocks) / mean;
    // Successive picks hang together a little: eight deviations of independent ones.
    for (const uint64_t count : picks) {
        CHECK(std::abs(static_cast<double>(count) - expected) < 8 * std::sqrt(expected));
    }
}

TEST_CASE("auto is exact for 50,000 events and then rises by steps", "[sampling]") {
    Sampling sampling = started(0, 1);
    CHECK(sampling.mean() == 1);
    for (uint32_t i = 1; i < kExactEvents; ++i) REQUIRE_FALSE(sampling.count(true));
    REQUIRE(sampling.count(true));
    sampling.rise();
    CHECK(sampling.mean() == 4);
    for (uint32_t i = 1; i < kEventsAStep; ++i) REQUIRE_FALSE(sampling.count(true));
    REQUIRE(sampling.count(true));
    sampling.rise();
    CHECK(sampling.mean() == 16);
    // The number of events grows with the logarithm of the faults.
    while (sampling.mean() != kLargestMean) sampling.rise();
    for (uint32_t i = 0; i < 10 * kExactEvents; ++i) REQUIRE_FALSE(sampling.count(true));
}

TEST_CASE("faults that copy nothing let auto rise later, and a fixed mean stays", "[sampling]") {
    Sampling sampling = started(0, 1);
    for (uint32_t i = 0; i < 2 * kExactEvents; ++i) REQUIRE_FALSE(sampling.count(false));
    bool is_due = false;
    for (uint32_t i = 0; i < 2 * kExactEvents; ++i) is_due = sampling.count(false);
    CHECK(is_due);
    Sampling fixed = started(7, 1);
    CHECK(fixed.mean() == 7);
    for (uint32_t i = 0; i < 2 * kExactEvents; ++i) REQUIRE_FALSE(fixed.count(true));
}
