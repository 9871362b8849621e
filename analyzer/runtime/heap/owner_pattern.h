// A few ranges of memory that come again and again, and what the words of a page look like where
// they do: repetitions are found by comparing words, many ranges at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/heap/owner_page.h"

namespace cowscope::runtime {

class OwnerPattern {
  public:
    using Owner = OwnerPage::Owner;
    // In granules, the gap from the range before.
    struct Part {
        uint64_t gap;
        uint64_t length;
        Owner owner;
        bool operator==(const Part&) const = default;
    };

    // At least one. Two that follow each other either have a gap or different owners.
    void assign(const std::vector<Part>& parts);
    const std::vector<Part>& parts() const { return parts_; }

    // Whether it has few enough owners, and is short enough, for words of it.
    bool has_words() const { return has_words_; }
    // How many granules of the page, from `from` on, are as the pattern is from `phase` on.
    size_t same_on(const OwnerPage& page, size_t from, uint64_t phase) const;
    uint64_t stride() const { return stride_; }
    uint64_t phase_of(size_t part) const;

    // How many parts, the first of them `first`, end before so many granules do: what follows such
    // a part was seen as well. Adds up their granules.
    struct Whole {
        uint64_t parts;
        uint64_t granules;
    };
    Whole parts_within(uint64_t granules, size_t first, uint64_t most) const;

  private:
    static constexpr size_t kWordBits = OwnerPage::kWordBits;
    static constexpr size_t kWords = 8;
    // So that a word that begins anywhere in it can be taken from the bits.
    static constexpr uint64_t kMostStride = (kWords - 1) * kWordBits;
    using Bits = std::array<uint64_t, kWords>;

    static uint64_t word_at(const Bits& bits, uint64_t phase) {
        const uint64_t low = bits[phase / kWordBits] >> phase % kWordBits;
        if (phase % kWordBits == 0) return low;
        return low | bits[phase / kWordBits + 1] << (kWordBits - phase % kWordBits);
    }
    bool make_words();

    std::vector<Part> parts_;
    uint64_t stride_ = 0;
    bool has_words_ = false;
    std::array<Owner, 2> owners_{};
    std::array<Bits, 2> owned_{};
};

}  // namespace cowscope::runtime
