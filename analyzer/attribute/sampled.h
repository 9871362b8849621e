// Events that stand for more than themselves (trace::WeightRecord): how many copies without an
// event of their own each of them speaks for, and how sure that is. docs/sampling.md has the
// formulas.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

namespace cowscope::attribute {

// The events with a weight above 1 of one epoch of a process, that fell on pages which a
// census knows as written, or on others. Each speaks for weight - 1 pages beside its own, its
// `others`.
struct SampleGroup {
    bool is_counted = false;  // how many pages they speak for is known by a census
    uint64_t events = 0;
    double others = 0;                           // sum
    double squares = 0;                          // sum of others^2
    double reused_others = 0;                    // of events that were no copies, because nobody
                                                 // shared the page any more
    std::map<uint32_t, double> others_of_class;  // of copies, by index into Copies::classes
    double pages = 0;                            // that they speak for, copied and reused
    // So many of them at most can have been reused.
    double reused_most = std::numeric_limits<double>::infinity();
    double pages_variance = 0;  // of that; 0 where a census counted them

    void add(uint32_t weight, bool is_copy, uint32_t write_class);
    double reused_pages() const {
        return others > 0 ? std::min(reused_others * pages / others, reused_most) : 0;
    }
    // What the `others` of copies come to in pages.
    double scale() const {
        const double of_copies = others - reused_others;
        return of_copies > 0 ? (pages - reused_pages()) / of_copies : 0;
    }
    // Of as many independent ones with equal weights the shares would be as sure.
    double effective_events() const { return squares > 0 ? others * others / squares : 0; }
    // Of the pages of something whose events have `share` of `others`.
    double variance_of(double share) const;
};

// Of the faults that should have been told so many may be missing: where a thread loses its CPU
// just after one that was told, the kernel forgets the gap to the next (measured: up to 0.5 % on a
// busy machine, none on an idle one).
inline constexpr double kMissedShare = 0.01;

// Of a sum of weights: how far it may be off by chance. `copying`: the share of faults that copy.
double chance_variance(double sum_of_squared_weights, double copying);

// Half the width of a 95 % interval; and the variance of which it is that.
double margin_of(double variance);
double variance_within(double margin);

// `parts` in whole numbers that sum to `total`, each as near as can be. The parts sum to `total`,
// about.
std::vector<uint64_t> whole_parts(const std::vector<double>& parts, uint64_t total);

// In pages, of that variance.
uint64_t pages_margin_of(double variance);

// Variances of sums over several groups, by what they are sums of.
template <typename Key>
class Margins {
  public:
    // `others_of`: the part of the group's that is of each.
    void add(const SampleGroup& group, const std::map<Key, double>& others_of) {
        if (group.others <= 0) return;
        for (const auto& [key, others] : others_of) {
            variances_[key] += group.variance_of(others / group.others);
        }
    }
    // In pages; 0 where nothing was sampled.
    uint64_t pages_margin(const Key& key) const {
        const auto found = variances_.find(key);
        return found == variances_.end() ? 0 : pages_margin_of(found->second);
    }

  private:
    std::map<Key, double> variances_;
};

}  // namespace cowscope::attribute
