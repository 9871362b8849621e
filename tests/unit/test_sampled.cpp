#include <cmath>
#include <numeric>
#include <random>

#include "attribute/sampled.h"
#include "tests/catch.h"

using namespace cowscope::attribute;

TEST_CASE("parts become whole numbers that sum up to the total", "[sampled]") {
    CHECK(whole_parts({}, 0).empty());
    CHECK(whole_parts({2.5, 2.5}, 5) == std::vector<uint64_t>{3, 2});
    CHECK(whole_parts({0.2, 0.2, 0.2, 0.4}, 1) == std::vector<uint64_t>{0, 0, 0, 1});
    CHECK(whole_parts({3, 0, 7}, 10) == std::vector<uint64_t>{3, 0, 7});
    std::mt19937_64 random(3);
    std::uniform_real_distribution<double> any(0, 1000);
    for (int round = 0; round < 200; ++round) {
        std::vector<double> parts(1 + static_cast<size_t>(round) % 17);
        for (double& part : parts) part = any(random);
        const double sum = std::accumulate(parts.begin(), parts.end(), 0.0);
        const auto total = static_cast<uint64_t>(std::llround(sum));
        const auto whole = whole_parts(parts, total);
        CHECK(std::accumulate(whole.begin(), whole.end(), uint64_t{0}) == total);
        for (size_t i = 0; i < parts.size(); ++i) {
            CHECK(std::abs(static_cast<double>(whole[i]) - parts[i]) <= 1);
        }
    }
}

// The truth is thrown first; then weights are drawn as the witness does, in two steps.
TEST_CASE("margins hold the truth in 95 of 100 samples", "[sampled]") {
    const double share = GENERATE(0.5, 0.1, 0.01);
    CAPTURE(share);
    constexpr int kRounds = 1000;
    constexpr uint32_t kPages = 40'000;
    std::mt19937_64 random(7);
    std::bernoulli_distribution is_first(share);
    int held = 0;
    for (int round = 0; round < kRounds; ++round) {
        SampleGroup group;
        group.is_counted = true;
        uint64_t truth = 0;
        double seen_first = 0;
        uint64_t seen = 0;
        for (uint32_t page = 0; page < kPages;) {
            const uint32_t weight = page < kPages / 4 ? 4 : 64;
            const uint32_t picked = std::uniform_int_distribution<uint32_t>(0, weight - 1)(random);
            for (uint32_t i = 0; i < weight; ++i, ++page) {
                const bool first = is_first(random);
                truth += first ? 1 : 0;
                if (i != picked) continue;
                group.add(weight, true, first ? 0 : 1);
                ++seen;
                seen_first += first ? 1 : 0;
            }
        }
        group.pages = static_cast<double>(kPages - seen);
        const double part = group.others_of_class[0] / group.others;
        const double estimate = seen_first + part * group.pages;
        const double margin = margin_of(group.variance_of(part));
        if (std::abs(estimate - static_cast<double>(truth)) <= margin) ++held;
    }
    // 950 are to be expected; four deviations less are 922. Agresti and Coull's are a little wide.
    CHECK(held >= 922);
    CHECK(held < kRounds);
}

TEST_CASE("margins of several groups add up, and of nothing there are none", "[sampled]") {
    SampleGroup group;
    for (int i = 0; i < 100; ++i) group.add(11, true, i < 30 ? 0 : 1);
    group.pages = 1000;
    Margins<char> one;
    one.add(group, {{'a', 300}});
    CHECK(one.pages_margin('b') == 0);
    // 1.96 * 1000 * sqrt(0.3077 * 0.6923 / 104 * 1000 / 1100), by hand.
    CHECK(one.pages_margin('a') == 85);
    Margins<char> four;
    for (int i = 0; i < 4; ++i) four.add(group, {{'a', 300}});
    CHECK(four.pages_margin('a') == 170);
    Margins<char> none;
    none.add(SampleGroup{}, {{'a', 0}});
    CHECK(none.pages_margin('a') == 0);
}
