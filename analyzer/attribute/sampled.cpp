#include "attribute/sampled.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cowscope::attribute {
namespace {

// Of the normal distribution: 95 % lie within.
constexpr double kDeviations = 1.96;
// Agresti and Coull, "Approximate is better than exact" (1998): two more events of each kind make
// the interval of a proportion as wide as it should be, also near 0 and 1.
constexpr double kMoreEvents = 4;

}  // namespace

void SampleGroup::add(uint32_t weight, bool is_copy, uint32_t write_class) {
    const double more = static_cast<double>(weight) - 1;
    ++events;
    others += more;
    squares += more * more;
    if (is_copy) {
        others_of_class[write_class] += more;
    } else {
        reused_others += more;
    }
}

double SampleGroup::variance_of(double share) const {
    const double n = effective_events();
    if (n == 0) return 0;
    const double middle = (share * n + kMoreEvents / 2) / (n + kMoreEvents);
    // The pages that were witnessed are known; only the rest is guessed.
    const double unseen = pages / (pages + static_cast<double>(events));
    return pages * pages * middle * (1 - middle) / (n + kMoreEvents) * unseen +
           share * share * pages_variance;
}

double chance_variance(double sum_of_squared_weights, double copying) {
    // One of every `weight` faults is told (preload/witness/sampling.h), so that where all of them
    // copy the sum is right. Else it is a throw of its own whether the one that is told copied.
    return sum_of_squared_weights * (1 - copying);
}

double margin_of(double variance) {
    return kDeviations * std::sqrt(variance);
}

double variance_within(double margin) {
    return margin / kDeviations * (margin / kDeviations);
}

std::vector<uint64_t> whole_parts(const std::vector<double>& parts, uint64_t total) {
    std::vector<uint64_t> whole(parts.size());
    std::vector<size_t> order(parts.size());
    std::iota(order.begin(), order.end(), 0);
    uint64_t given = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
        whole[i] = std::min(static_cast<uint64_t>(std::max(parts[i], 0.0)), total - given);
        given += whole[i];
    }
    const auto rest = [&](size_t i) { return parts[i] - static_cast<double>(whole[i]); };
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return rest(a) > rest(b); });
    for (size_t i = 0; i < order.size() && given < total; ++i, ++given) ++whole[order[i]];
    // Of sums that are not exact.
    if (!order.empty()) whole[order.front()] += total - given;
    return whole;
}

uint64_t pages_margin_of(double variance) {
    return static_cast<uint64_t>(std::ceil(margin_of(variance)));
}

}  // namespace cowscope::attribute
