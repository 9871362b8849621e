#include "session/code_store.h"

#include <atomic>

#include "support/hash.h"

#include "support/poison.h"

namespace cowscope::session {
namespace {

template <typename Number>
std::atomic_ref<Number> shared(Number& number) {
    return std::atomic_ref<Number>(number);
}

// 0 marks what is free.
uint64_t nonzero(uint64_t key) {
    return key == 0 ? 1 : key;
}

}  // namespace

uint32_t CodeStore::slot_of(uint64_t key, uint32_t probe) const {
    const uint64_t words[] = {key, probe};
    return static_cast<uint32_t>(hash_words(words, 2) % code_count_);
}

bool CodeStore::is_half_full() const {
    return shared(*texts_used_).load(std::memory_order_relaxed) >= text_bytes_ / 2;
}

uint32_t CodeStore::find(uint64_t key) const {
    key = nonzero(key);
    for (uint32_t i = 0; code_count_ != 0 && i < kMostProbes; ++i) {
        const uint32_t slot = slot_of(key, i);
        const uint64_t there = shared(codes_[slot].key).load(std::memory_order_relaxed);
        if (there == key) return slot + 1;
        if (there == 0) return 0;
    }
    return 0;
}

void* CodeStore::take_room(uint64_t bytes) {
    bytes = (bytes + trace::kAggregateCodeAlignment - 1) & ~(trace::kAggregateCodeAlignment - 1);
    // Looked at first, so that tries in vain do not let it turn around.
    const auto used = shared(*texts_used_);
    if (bytes > text_bytes_ || used.load(std::memory_order_relaxed) > text_bytes_ - bytes) {
        return nullptr;
    }
    const uint64_t start = used.fetch_add(bytes, std::memory_order_relaxed);
    if (start > text_bytes_ - bytes || start % trace::kAggregateCodeAlignment != 0) return nullptr;
    return texts_ + start;
}

uint32_t CodeStore::add(uint64_t key, const void* room) {
    key = nonzero(key);
    const auto offset = static_cast<uint32_t>(static_cast<const unsigned char*>(room) - texts_);
    for (uint32_t i = 0; code_count_ != 0 && i < kMostProbes; ++i) {
        const uint32_t slot = slot_of(key, i);
        trace::AggregateCode& code = codes_[slot];
        uint64_t there = 0;
        if (shared(code.key).compare_exchange_strong(there, key, std::memory_order_relaxed)) {
            code.offset = offset;
            shared(code.is_whole).store(trace::kWhole, std::memory_order_release);
            return slot + 1;
        }
        if (there == key) return slot + 1;
    }
    return 0;
}

}  // namespace cowscope::session
