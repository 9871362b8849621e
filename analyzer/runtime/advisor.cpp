#include "runtime/advisor.h"

#include <algorithm>
#include <utility>

namespace cowscope::runtime {

namespace {

// Less is not worth a change of the program.
constexpr double kLeastShare = 0.01;
constexpr uint64_t kLeastPages = 256;  // 1 MiB

template <typename Key>
uint64_t pages_at(const std::map<Key, uint64_t>& pages, const Key& key) {
    const auto found = pages.find(key);
    return found == pages.end() ? 0 : found->second;
}

template <typename Key>
uint64_t difference(const std::map<Key, uint64_t>& all, const std::map<Key, uint64_t>& ended,
                    const Key& key) {
    const uint64_t pages = pages_at(all, key);
    return pages - std::min(pages, pages_at(ended, key));
}

}  // namespace

void Advisor::add(std::string kind, std::string owner, uint64_t pages, std::string text) {
    const double least = kLeastShare * static_cast<double>(input_.copied_pages);
    if (pages < kLeastPages || static_cast<double>(pages) < least) return;
    advice_.push_back({std::move(kind), std::move(owner), pages, std::move(text)});
}

uint64_t Advisor::pages_of(RuntimeCause cause) const {
    return difference(input_.causes, input_.ended_causes, cause);
}

uint64_t Advisor::pages_of_type(const OwnerPages& owner, const std::string& type) {
    return difference(owner.counted_types, owner.ended_types, type);
}

std::vector<Advice> Advisor::take() {
    std::stable_sort(advice_.begin(), advice_.end(),
                     [](const Advice& a, const Advice& b) { return a.pages > b.pages; });
    return std::move(advice_);
}

}  // namespace cowscope::runtime
