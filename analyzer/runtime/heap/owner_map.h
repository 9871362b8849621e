// Who owns which memory: for each 16 bytes of the pages that hold objects the number of an owner,
// and whole pages of large blocks as runs. Its memory is bounded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <vector>

#include "base/hash.h"
#include "runtime/heap/owner_page.h"

namespace cowscope::runtime {

class OwnerMap {
    static constexpr uint64_t kPage = OwnerPage::kBytes;
    // Pages that lie close to each other are found through one entry.
    static constexpr uint64_t kChunkPages = 256;
    static constexpr uint64_t kChunk = kChunkPages * kPage;
    using Chunk = std::array<OwnerPage*, kChunkPages>;

  public:
    using Owner = OwnerPage::Owner;
    static constexpr uint64_t kGranule = OwnerPage::kGranule;

    static constexpr size_t kUsualBytes = size_t{128} << 20;

    explicit OwnerMap(size_t most_bytes = kUsualBytes);

    // 0 where nobody was set.
    Owner at(uint64_t address) const {
        const OwnerPage* page = page_at(address);
        return page == nullptr ? Owner{0} : page->at(address % kPage / kGranule);
    }
    // Who was set first stays. Takes no more where it is full.
    void set(uint64_t start, uint64_t bytes, Owner owner);
    // The same, unless the first of them is owned: then false, and nothing changes.
    bool set_if_free(uint64_t start, uint64_t bytes, Owner owner) {
        Near near;
        return set_if_free(start, bytes, owner, &near);
    }
    // What was set last is near to what is set next: it is found faster.
    class Near {
      private:
        friend class OwnerMap;
        uint64_t number_ = ~uint64_t{0};
        const Chunk* chunk_ = nullptr;
    };
    bool set_if_free(uint64_t start, uint64_t bytes, Owner owner, Near* near) {
        const uint64_t number = start / kChunk;
        if (near->number_ != number) {
            const Chunk* chunk = slots_[slot_of(number)].chunk;
            if (chunk == nullptr) return set_any_if_free(start, bytes, owner);
            near->number_ = number;
            near->chunk_ = chunk;
        }
        OwnerPage* page = (*near->chunk_)[start / kPage % kChunkPages];
        const uint64_t first = start % kPage / kGranule;
        const uint64_t behind = (start % kPage + bytes + kGranule - 1) / kGranule;
        const bool is_usual = page != nullptr && first < behind && behind <= OwnerPage::kGranules &&
                              behind - first <= OwnerPage::kWordBits && page->is_of_few(owner);
        return is_usual ? page->set_few_if_free(first, behind, owner)
                        : set_any_if_free(start, bytes, owner);
    }
    bool is_full() const { return is_full_; }

    bool owns(Owner owner) const { return owner < owns_.size() && owns_[owner]; }

  private:
    friend class OwnerCursor;

    struct Slot {
        uint64_t number = 0;  // of the chunk
        Chunk* chunk = nullptr;
    };
    struct Run {
        uint64_t start;
        uint64_t end;
        Owner owner;
    };

    // Where the chunk is, or would be.
    size_t slot_of(uint64_t number) const {
        size_t i = scattered(number) >> slot_shift_;
        while (slots_[i].chunk != nullptr && slots_[i].number != number) {
            i = (i + 1) & (slots_.size() - 1);
        }
        return i;
    }
    OwnerPage* page_at(uint64_t address) const {
        const Chunk* chunk = slots_[slot_of(address / kChunk)].chunk;
        return chunk == nullptr ? nullptr : (*chunk)[address / kPage % kChunkPages];
    }
    // nullptr where the map is full.
    OwnerPage* make_page_at(uint64_t address);
    void make_chunk(uint64_t number);
    bool set_any_if_free(uint64_t start, uint64_t bytes, Owner owner);
    void set_in_page(uint64_t start, uint64_t end, Owner owner);
    template <typename Value>
    Value* make() {
        bytes_ += sizeof(Value);
        return new (memory_->allocate(sizeof(Value), alignof(Value))) Value();
    }

    size_t most_bytes_;
    size_t bytes_ = 0;
    bool is_full_ = false;
    // Of everything below that is a pointer. Its blocks grow: the kernel gives their pages one by
    // one, when they are used.
    std::unique_ptr<std::pmr::monotonic_buffer_resource> memory_;
    std::vector<Slot> slots_;  // a hash table, at most half full
    unsigned slot_shift_;
    size_t chunks_ = 0;
    std::vector<Run> runs_;   // whole pages of large blocks
    std::vector<bool> owns_;  // by owner
};

}  // namespace cowscope::runtime
