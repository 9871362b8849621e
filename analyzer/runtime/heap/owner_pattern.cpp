#include "runtime/heap/owner_pattern.h"

#include <algorithm>
#include <bit>

namespace cowscope::runtime {

void OwnerPattern::assign(const std::vector<Part>& parts) {
    parts_ = parts;
    stride_ = 0;
    for (const Part& part : parts_) stride_ += part.gap + part.length;
    has_words_ = stride_ <= kMostStride && make_words();
}

bool OwnerPattern::make_words() {
    owners_ = {};
    owned_ = {};
    uint64_t at = 0;
    while (at < stride_ + kWordBits) {
        for (const Part& part : parts_) {
            const size_t which = owners_[0] == 0 || owners_[0] == part.owner ? 0 : 1;
            if (owners_[which] != 0 && owners_[which] != part.owner) return false;
            owners_[which] = part.owner;
            at += part.gap;
            const uint64_t end = std::min<uint64_t>(at + part.length, kWords * kWordBits);
            for (uint64_t bit = at; bit < end;) {
                const uint64_t count = std::min(end - bit, kWordBits - bit % kWordBits);
                owned_[which][bit / kWordBits] |= ~uint64_t{0} >> (kWordBits - count)
                                                                      << bit % kWordBits;
                bit += count;
            }
            at += part.length;
        }
    }
    return true;
}

size_t OwnerPattern::same_on(const OwnerPage& page, size_t from, uint64_t phase) const {
    const OwnerPage::Bits& first = page.owned_by(owners_[0]);
    const OwnerPage::Bits& second = page.owned_by(owners_[1]);
    const uint64_t step = kWordBits % stride_;
    for (size_t at = from; at < OwnerPage::kGranules;) {
        const size_t word = at / kWordBits;
        const size_t bit = at % kWordBits;
        const uint64_t others = page.owned_word(word) & ~(first[word] | second[word]);
        const uint64_t differs = ((first[word] >> bit) ^ word_at(owned_[0], phase)) |
                                 ((second[word] >> bit) ^ word_at(owned_[1], phase)) |
                                 others >> bit;
        const size_t left = kWordBits - bit;
        const size_t same = std::min<size_t>(static_cast<size_t>(std::countr_zero(differs)), left);
        at += same;
        if (same < left) return at - from;
        phase += bit == 0 ? step : left % stride_;
        if (phase >= stride_) phase -= stride_;
    }
    return OwnerPage::kGranules - from;
}

uint64_t OwnerPattern::phase_of(size_t part) const {
    uint64_t phase = 0;
    for (size_t i = 0; i < part; ++i) phase += parts_[i].gap + parts_[i].length;
    return phase;
}

OwnerPattern::Whole OwnerPattern::parts_within(uint64_t granules, size_t first,
                                               uint64_t most) const {
    if (granules == 0) return {0, 0};
    const uint64_t times = std::min((granules - 1) / stride_, most / parts_.size());
    Whole whole = {times * parts_.size(), times * stride_};
    for (size_t i = first; whole.parts < most; i = (i + 1) % parts_.size()) {
        const uint64_t end = whole.granules + parts_[i].gap + parts_[i].length;
        if (end >= granules) break;
        ++whole.parts;
        whole.granules = end;
    }
    return whole;
}

}  // namespace cowscope::runtime
