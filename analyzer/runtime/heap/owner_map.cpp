#include "runtime/heap/owner_map.h"

#include <algorithm>
#include <bit>

namespace cowscope::runtime {

namespace {

constexpr size_t kMostRuns = size_t{1} << 20;
constexpr size_t kFirstSlots = 64;
constexpr size_t kFirstBlockBytes = size_t{64} << 10;

unsigned shift_for(size_t slots) {
    return 64 - static_cast<unsigned>(std::countr_zero(slots));
}

}  // namespace

OwnerMap::OwnerMap(size_t most_bytes)
    : most_bytes_(most_bytes),
      memory_(std::make_unique<std::pmr::monotonic_buffer_resource>(kFirstBlockBytes)),
      slots_(kFirstSlots),
      slot_shift_(shift_for(kFirstSlots)) {}

void OwnerMap::make_chunk(uint64_t number) {
    if (2 * (chunks_ + 1) > slots_.size()) {
        std::vector<Slot> old(2 * slots_.size());
        old.swap(slots_);
        slot_shift_ = shift_for(slots_.size());
        for (const Slot& slot : old) {
            if (slot.chunk != nullptr) slots_[slot_of(slot.number)] = slot;
        }
    }
    slots_[slot_of(number)] = {number, make<Chunk>()};
    bytes_ += 2 * sizeof(Slot);
    ++chunks_;
}

OwnerPage* OwnerMap::make_page_at(uint64_t address) {
    if (OwnerPage* page = page_at(address)) return page;
    const uint64_t number = address / kChunk;
    const bool is_new = slots_[slot_of(number)].chunk == nullptr;
    const size_t needed = sizeof(OwnerPage) + (is_new ? sizeof(Chunk) + 2 * sizeof(Slot) : 0);
    if (bytes_ + needed > most_bytes_) {
        is_full_ = true;
        return nullptr;
    }
    if (is_new) make_chunk(number);
    OwnerPage*& page = (*slots_[slot_of(number)].chunk)[address / kPage % kChunkPages];
    page = make<OwnerPage>();
    return page;
}

void OwnerMap::set_in_page(uint64_t start, uint64_t end, Owner owner) {
    OwnerPage* page = make_page_at(start);
    if (page == nullptr) return;
    const uint64_t first = start % kPage / kGranule;
    const uint64_t behind =
        std::min<uint64_t>(first + (end - start + kGranule - 1) / kGranule, OwnerPage::kGranules);
    if (page->set(first, behind, owner)) return;
    // Into a page that is there: the bound is passed by one of these.
    page->give_room(make<OwnerPage::Many>());
    if (bytes_ > most_bytes_) is_full_ = true;
    page->set(first, behind, owner);
}

void OwnerMap::set(uint64_t start, uint64_t bytes, Owner owner) {
    const uint64_t end = (start + bytes + kGranule - 1) & ~(kGranule - 1);
    start &= ~(kGranule - 1);
    if (end <= start || owner == 0) return;
    if (owns_.size() <= owner) owns_.resize(owner + size_t{1});
    owns_[owner] = true;
    const uint64_t first_whole = (start + kPage - 1) & ~(kPage - 1);
    const uint64_t last_whole = end & ~(kPage - 1);
    if (first_whole >= last_whole) {
        const uint64_t middle = std::min(end, first_whole == start ? end : first_whole);
        set_in_page(start, middle, owner);
        if (middle < end) set_in_page(middle, end, owner);
        return;
    }
    // The page where an object starts tells that the object was seen.
    uint64_t whole = first_whole;
    if (start < first_whole) {
        set_in_page(start, first_whole, owner);
    } else {
        set_in_page(start, start + kPage, owner);
        whole += kPage;
    }
    if (whole < last_whole) {
        if (runs_.size() < kMostRuns) {
            runs_.push_back({whole, last_whole, owner});
        } else {
            is_full_ = true;
        }
    }
    if (last_whole < end) set_in_page(last_whole, end, owner);
}

bool OwnerMap::set_any_if_free(uint64_t start, uint64_t bytes, Owner owner) {
    const uint64_t end = (start + bytes + kGranule - 1) & ~(kGranule - 1);
    if (end <= (start & ~(kGranule - 1)) || owner == 0 || at(start) != 0) return false;
    if (make_page_at(start) == nullptr) return false;
    set(start, bytes, owner);
    return true;
}

}  // namespace cowscope::runtime
