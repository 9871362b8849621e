// Who owns which memory: for each 16 bytes of the pages that hold objects the number of an owner,
// and whole pages of large blocks as runs. Its memory is bounded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace cowscope::python_heap {

class OwnerMap {
  public:
    using Owner = uint16_t;  // 0: none
    // The allocators' alignment: no two objects start in the same 16 bytes.
    static constexpr uint64_t kGranule = 16;

    static constexpr size_t kUsualBytes = size_t{128} << 20;

    explicit OwnerMap(size_t most_bytes = kUsualBytes) : most_bytes_(most_bytes) {}

    // 0 where nobody was set.
    Owner at(uint64_t address);
    // Who was set first stays. Takes no more where it is full.
    void set(uint64_t start, uint64_t bytes, Owner owner);
    // The same, unless the first of them is owned: then false, and nothing changes.
    bool set_if_free(uint64_t start, uint64_t bytes, Owner owner);
    bool is_full() const { return is_full_; }

    bool owns(Owner owner) const { return owner < owns_.size() && owns_[owner]; }

    // Every range of one owner, in the order of addresses; ends are multiples of kGranule.
    using TakeRange = std::function<void(uint64_t start, uint64_t end, Owner owner)>;
    void for_each_range(const TakeRange& take) const;

  private:
    static constexpr uint64_t kPage = 4096;
    // Most pages have objects of one owner or two (an allocator's pool has blocks of one size: keys
    // and values by turns, say).
    class Page {
      public:
        static constexpr size_t kGranules = kPage / kGranule;

        Owner at(size_t i) const {
            if (many_) return (*many_)[i];
            const uint64_t bit = uint64_t{1} << i % kWordBits;
            return (owned_[0][i / kWordBits] & bit) != 0   ? few_[0]
                   : (owned_[1][i / kWordBits] & bit) != 0 ? few_[1]
                                                           : Owner{0};
        }
        // Those of [first, behind) that have none get this one. Returns the bytes that it takes for
        // that.
        size_t set(size_t first, size_t behind, Owner owner);
        // Calls take(first, behind, owner) for runs of one owner, in order; two that touch may have
        // the same.
        template <typename Take>
        void for_each_run(const Take& take) const;

      private:
        static constexpr size_t kWordBits = 64;
        using Many = std::array<Owner, kGranules>;
        using Bits = std::array<uint64_t, kGranules / kWordBits>;

        std::array<Bits, 2> owned_{};  // by each of the few
        std::array<Owner, 2> few_{};
        std::unique_ptr<Many> many_;  // where there are more
    };
    // With what the map and the allocator add to each.
    static constexpr size_t kBytesAPage = sizeof(Page) + 32;
    struct Run {
        uint64_t start;
        uint64_t end;
        Owner owner;
    };
    Page* page_at(uint64_t start, bool make);
    void set_in_page(uint64_t start, uint64_t end, Owner owner);
    void add_bytes(size_t bytes) {
        bytes_ += bytes;
        if (bytes_ > most_bytes_) is_full_ = true;
    }

    size_t most_bytes_;
    size_t bytes_ = 0;
    bool is_full_ = false;
    std::unordered_map<uint64_t, Page> pages_;
    std::vector<Run> runs_;   // whole pages of large blocks
    std::vector<bool> owns_;  // by owner
    // Pages that were asked for lately; an odd address is none.
    struct Recent {
        uint64_t start = 1;
        Page* page = nullptr;
    };
    std::array<Recent, 256> recent_{};
};

}  // namespace cowscope::python_heap
