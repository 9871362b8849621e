// Who owns which 16 bytes of one page.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cowscope::runtime {

// Most pages have objects of one owner or two (an allocator's pool has blocks of one size: keys and
// values by turns, say).
class OwnerPage {
  public:
    using Owner = uint16_t;  // 0: none
    // As large as most processors' pages, though nothing depends on that.
    static constexpr uint64_t kBytes = 4096;
    // The allocators' alignment: no two objects start in the same 16 bytes.
    static constexpr uint64_t kGranule = 16;
    static constexpr size_t kGranules = kBytes / kGranule;
    static constexpr size_t kWordBits = 64;
    using Bits = std::array<uint64_t, kGranules / kWordBits>;
    // Where there are more owners than two.
    using Many = std::array<Owner, kGranules>;

    Owner at(size_t i) const {
        if (many_ != nullptr) return (*many_)[i];
        const uint64_t bit = uint64_t{1} << i % kWordBits;
        return (owned_[0][i / kWordBits] & bit) != 0   ? few_[0]
               : (owned_[1][i / kWordBits] & bit) != 0 ? few_[1]
                                                       : Owner{0};
    }
    bool has_many() const { return many_ != nullptr; }
    // Of a page without many: those that the owner has.
    const Bits& owned_by(Owner owner) const {
        static constexpr Bits kNoBits{};
        return owner == 0         ? kNoBits
               : few_[0] == owner ? owned_[0]
               : few_[1] == owner ? owned_[1]
                                  : kNoBits;
    }
    uint64_t owned_word(size_t word) const { return owned_[0][word] | owned_[1][word]; }

    // Those of [first, behind) that have none get this one. False where it is one owner too much:
    // then the page needs room for many.
    bool set(size_t first, size_t behind, Owner owner);
    // `many` stays the caller's, and must live as long.
    void give_room(Many* many);

    // Whether it is one of the two.
    bool is_of_few(Owner owner) const {
        return owner != 0 && (few_[0] == owner || few_[1] == owner);
    }
    // Of one of the two, and at most kWordBits of them: sets them if the first has no owner.
    bool set_few_if_free(size_t first, size_t behind, Owner owner) {
        const size_t which = few_[0] == owner ? 0 : 1;
        const size_t word = first / kWordBits;
        const size_t bit = first % kWordBits;
        if ((owned_word(word) >> bit & 1) != 0) return false;
        const uint64_t bits = ~uint64_t{0} >> (kWordBits - (behind - first));
        owned_[which][word] |= bits << bit & ~owned_[1 - which][word];
        if (behind > (word + 1) * kWordBits) {
            owned_[which][word + 1] |= bits >> (kWordBits - bit) & ~owned_[1 - which][word + 1];
        }
        return true;
    }

    // One owner's, at or behind `from`; up to the end of a word at most. owner 0: there is none.
    struct Stretch {
        size_t first;
        size_t behind;
        Owner owner;
    };
    Stretch stretch_from(size_t from) const;

  private:
    std::array<Bits, 2> owned_{};  // by each of the few
    std::array<Owner, 2> few_{};
    Many* many_ = nullptr;
};

}  // namespace cowscope::runtime
