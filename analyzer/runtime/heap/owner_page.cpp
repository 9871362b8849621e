#include "runtime/heap/owner_page.h"

#include <algorithm>

namespace cowscope::runtime {

bool OwnerPage::set(size_t first, size_t behind, Owner owner) {
    if (many_ != nullptr) {
        for (size_t i = first; i < behind; ++i) {
            if ((*many_)[i] == 0) (*many_)[i] = owner;
        }
        return true;
    }
    const size_t which = few_[0] != 0 && few_[0] != owner ? 1 : 0;
    if (few_[which] != 0 && few_[which] != owner) return false;
    few_[which] = owner;
    for (size_t word = first / kWordBits; word * kWordBits < behind; ++word) {
        const size_t start = word * kWordBits;
        uint64_t bits = ~uint64_t{0};
        if (first > start) bits &= ~uint64_t{0} << (first - start);
        if (behind < start + kWordBits) bits &= ~(~uint64_t{0} << (behind - start));
        owned_[which][word] |= bits & ~owned_[1 - which][word];
    }
    return true;
}

void OwnerPage::give_room(Many* many) {
    for (size_t i = 0; i < kGranules; ++i) (*many)[i] = at(i);
    many_ = many;
    few_ = {};
}

OwnerPage::Stretch OwnerPage::stretch_from(size_t from) const {
    if (many_ != nullptr) {
        const auto first = std::find_if(many_->begin() + static_cast<ptrdiff_t>(from), many_->end(),
                                        [](Owner each) { return each != 0; });
        if (first == many_->end()) return {kGranules, kGranules, 0};
        const auto behind =
            std::find_if(first, many_->end(), [&](Owner each) { return each != *first; });
        return {static_cast<size_t>(first - many_->begin()),
                static_cast<size_t>(behind - many_->begin()), *first};
    }
    for (size_t i = from; i < kGranules; i = (i / kWordBits + 1) * kWordBits) {
        const size_t word = i / kWordBits;
        const uint64_t any = owned_word(word) >> i % kWordBits;
        if (any == 0) continue;
        const size_t first = i + static_cast<size_t>(std::countr_zero(any));
        const size_t bit = first % kWordBits;
        const size_t which = (owned_[0][word] >> bit & 1) != 0 ? 0 : 1;
        const auto length = static_cast<size_t>(std::countr_one(owned_[which][word] >> bit));
        return {first, first + length, few_[which]};
    }
    return {kGranules, kGranules, 0};
}

}  // namespace cowscope::runtime
