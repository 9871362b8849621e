#include "session/call_site_table.h"

#include <atomic>

#include "support/hash.h"

#include "support/poison.h"

namespace cowscope::session {
namespace {

// Instead of a key: free, and being taken over.
constexpr uint64_t kFree = 0;
constexpr uint64_t kChanging = 1;

template <typename Number>
std::atomic_ref<Number> shared(Number& number) {
    return std::atomic_ref<Number>(number);
}

// What decides who is to go: its copies, and those for which its slot was taken before it.
uint64_t rank_of(trace::AggregateSlot& slot) {
    return shared(slot.copies).load(std::memory_order_relaxed) +
           shared(slot.copies_before).load(std::memory_order_relaxed);
}

bool may_take_over(uint64_t key, uint64_t event) {
    const uint64_t words[] = {key, event};
    return hash_words(words, 2) % CallSiteTable::kTakeOverPeriod == 0;
}

uint64_t key_in_slot(uint64_t key) {
    return key <= kChanging ? key + 2 : key;
}

}  // namespace

void CallSiteTable::set_complete(trace::AggregateSlot* slot) {
    shared(slot->is_whole).store(trace::kWhole, std::memory_order_release);
}

// Whoever takes the slot over changes its key first, and then needs it to be whole.
bool CallSiteTable::hold(trace::AggregateSlot* slot, uint64_t key) {
    uint32_t whole = trace::kWhole;
    if (!shared(slot->is_whole).compare_exchange_strong(whole, trace::kBeingNamed)) return false;
    if (shared(slot->key).load() == key_in_slot(key)) return true;
    release(slot);
    return false;
}

void CallSiteTable::release(trace::AggregateSlot* slot) {
    uint32_t held = trace::kBeingNamed;
    shared(slot->is_whole).compare_exchange_strong(held, trace::kWhole, std::memory_order_release);
}

CallSiteTable::Found CallSiteTable::find(uint64_t key, uint64_t event) {
    key = key_in_slot(key);
    trace::AggregateSlot* least = nullptr;
    uint64_t least_rank = ~uint64_t{0};
    for (uint32_t i = 0; i < kMostProbes; ++i) {
        const uint64_t words[] = {key, i};
        trace::AggregateSlot& slot = slots_[hash_words(words, 2) % slot_count_];
        uint64_t there = shared(slot.key).load(std::memory_order_relaxed);
        if (there == kFree &&
            shared(slot.key).compare_exchange_strong(there, key, std::memory_order_relaxed)) {
            return {&slot, true};
        }
        if (there == key) return {&slot, false};
        // One that is not whole is being described, or who did so was killed.
        if (there == kChanging ||
            shared(slot.is_whole).load(std::memory_order_acquire) != trace::kWhole) {
            continue;
        }
        const uint64_t rank = rank_of(slot);
        if (rank < least_rank) {
            least_rank = rank;
            least = &slot;
        }
    }
    if (least == nullptr || !may_take_over(key, event)) return {nullptr, false};
    least = take_over(least, key);
    return {least, least != nullptr};
}

trace::AggregateSlot* CallSiteTable::take_over(trace::AggregateSlot* slot, uint64_t key) {
    // Others may have taken it meanwhile. Whole behind its key means that this key's description
    // is.
    uint64_t there = shared(slot->key).load(std::memory_order_acquire);
    if (there <= kChanging || there == key ||
        shared(slot->is_whole).load(std::memory_order_acquire) != trace::kWhole ||
        !shared(slot->key).compare_exchange_strong(there, kChanging)) {
        return nullptr;
    }
    // In this order: whoever is killed here leaves a place with its counts, or counts without one.
    const uint64_t rank = rank_of(*slot);
    uint32_t whole = trace::kWhole;
    if (!shared(slot->is_whole).compare_exchange_strong(whole, 0)) {
        // It is kept.
        shared(slot->key).store(there);
        return nullptr;
    }
    const uint64_t displaced = shared(slot->copies).exchange(0, std::memory_order_relaxed);
    shared(*displaced_copies_).fetch_add(displaced, std::memory_order_relaxed);
    shared(slot->copies_before).store(rank, std::memory_order_relaxed);
    shared(slot->key).store(key, std::memory_order_release);
    return slot;
}

}  // namespace cowscope::session
