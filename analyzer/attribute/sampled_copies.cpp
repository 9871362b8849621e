#include "attribute/sampled_copies.h"

#include <algorithm>
#include <cmath>

namespace cowscope::attribute {

std::optional<size_t> SampledCopies::find_group(const PageWrite& write) const {
    const bool is_counted = process_.epochs[write.epoch].copied.contains(write.page);
    const auto at = group_index_.find({write.epoch, is_counted});
    return at == group_index_.end() ? std::nullopt : std::optional(at->second);
}

size_t SampledCopies::group_of(const PageWrite& write) {
    const bool is_counted = process_.epochs[write.epoch].copied.contains(write.page);
    const auto [at, is_new] = group_index_.try_emplace({write.epoch, is_counted}, groups_.size());
    if (is_new) groups_.emplace_back().is_counted = is_counted;
    return at->second;
}

void SampledCopies::count(const PageWrite& write, bool is_copy) {
    if (write.weight <= 1) return;
    const size_t group = group_of(write);
    groups_[group].add(write.weight, is_copy, write.copy_class);
    squared_weights_[group] += static_cast<double>(write.weight) * write.weight;
    if (!is_copy) reused_[write.epoch].push_back(write.page);
}

double SampledCopies::others_of(const PageWrite& write) const {
    if (write.weight <= 1) return 0;
    const auto group = find_group(write);
    return group ? (static_cast<double>(write.weight) - 1) * groups_[*group].scale() : 0;
}

// The share of faults with an event that is a copy, of all that the witness was told of.
double SampledCopies::copying() const {
    const auto fresh = static_cast<double>(process_.loss.fresh_faults);
    const double all = event_weights_ + fresh;
    return all == 0 ? 1 : std::min(copying_weights_ / all, 1.0);
}

uint64_t SampledCopies::represent(size_t epoch, uint64_t unseen,
                                  const std::vector<PageWrite>& writes) {
    const auto index = static_cast<uint32_t>(epoch);
    if (const auto at = group_index_.find({index, false}); at != group_index_.end()) {
        SampleGroup& group = groups_[at->second];
        group.pages = group.others;
        const double missed = kMissedShare * group.others;
        group.pages_variance =
            chance_variance(squared_weights_[at->second], copying()) + missed * missed;
    }
    const uint32_t largest = process_.epochs[epoch].largest_weight;
    if (largest <= 1 || unseen == 0) return 0;
    // By chance a sum of weights is no more than this below what it stands for. What is missing
    // beyond that no event can have spoken for: the kernel wrote it. Each thread's last faults
    // may have been too few to be told of.
    constexpr double kDeviations = 3;
    double chance = kDeviations * largest * static_cast<double>(std::max<size_t>(tids_.size(), 1));
    const auto at = group_index_.find({index, true});
    if (at == group_index_.end()) {
        const uint64_t represented = std::min(unseen, static_cast<uint64_t>(chance));
        unsampled_ += represented;
        return represented;
    }
    SampleGroup& group = groups_[at->second];
    chance += kDeviations * std::sqrt(chance_variance(squared_weights_[at->second], copying()));
    const auto spoken_for = static_cast<uint64_t>(group.others);
    chance += kMissedShare * group.others;
    const bool is_beyond_chance = static_cast<double>(unseen) > group.others + chance;
    const uint64_t represented = is_beyond_chance ? spoken_for : unseen;
    group.pages = static_cast<double>(represented);
    if (group.reused_others > 0) limit_reused(index, writes, &group);
    return represented;
}

// A page that parent or children wrote may be nobody else's any more, but no other is because
// of that: where all that were found reused are such pages, the rest are too.
void SampledCopies::limit_reused(uint32_t epoch, const std::vector<PageWrite>& writes,
                                 SampleGroup* group) {
    if (!kin_pages_) kin_pages_ = family_.written_by_kin(index_);
    const auto& kin = *kin_pages_;
    if (!kin) return;
    for (const uint64_t page : reused_[epoch]) {
        if (!std::binary_search(kin->begin(), kin->end(), page)) return;
    }
    const trace::PageSet& copied = process_.epochs[epoch].copied;
    const auto most = std::count_if(kin->begin(), kin->end(), [&](uint64_t page) {
        const auto own =
            std::partition_point(writes.begin(), writes.end(),
                                 [&](const PageWrite& write) { return write.page < page; });
        const bool has_event = own != writes.end() && own->page == page;
        return !has_event && copied.contains(page);
    });
    group->reused_most = static_cast<double>(most);
}

// An epoch that is shorter than the gaps between two events has one by chance, and that
// speaks for more pages than its epoch has: for those of others like it, which have none.
void SampledCopies::speak_for_each_other() {
    double surplus = 0;
    double squares = 0;
    for (const SampleGroup& group : groups_) {
        if (!group.is_counted) continue;
        surplus += std::max(group.others - group.pages, 0.0);
        squares += group.squares;
    }
    if (surplus <= 0) return;
    constexpr double kDeviations = 3;
    const double most = surplus + kDeviations * std::sqrt(squares);
    const auto spoken_for = std::min(unsampled_, static_cast<uint64_t>(std::llround(most)));
    for (SampleGroup& group : groups_) {
        if (!group.is_counted) continue;
        const double share = std::max(group.others - group.pages, 0.0) / surplus;
        group.pages += share * static_cast<double>(spoken_for);
    }
    unsampled_ -= spoken_for;
}

void SampledCopies::spread(Copies* copies) {
    speak_for_each_other();
    std::vector<double> of_class(copies->classes.size(), 0);
    for (const SampleGroup& group : groups_) {
        const auto reused = static_cast<uint64_t>(std::llround(group.reused_pages()));
        const auto pages = static_cast<uint64_t>(std::llround(group.pages));
        copies->reused_pages += reused;
        // Without a copy among its events nobody knows by whom.
        const bool has_copies = group.others > group.reused_others;
        (has_copies ? copies->represented_pages : unsampled_) += pages - std::min(reused, pages);
        const double copied = group.others > 0 ? 1 - group.reused_others / group.others : 0;
        if (reused != 0 || !group.is_counted) {
            copies->copied_variance +=
                std::min(group.variance_of(copied), variance_within(group.reused_most));
        }
        for (const auto& [write_class, others] : group.others_of_class) {
            of_class[write_class] += others * group.scale();
        }
    }
    const auto whole = whole_parts(of_class, copies->represented_pages);
    for (size_t i = 0; i < whole.size(); ++i) {
        copies->classes[i].represented_pages = whole[i];
        copies->classes[i].pages += whole[i];
    }
    copies->unsampled = unsampled_;
    copies->groups = std::move(groups_);
}

}  // namespace cowscope::attribute
