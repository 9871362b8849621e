// Maps a 64-bit key to a small number, for things that are recorded once and then named.
//
// Keys are hashes or addresses; two different things with one 64-bit hash would be taken for one
// (about 1 in 10^9 for 100,000 stacks). Async-signal-safe; callers hold the process's lock.
#pragma once

#include "support/arena.h"

namespace cowscope {

class InternTable {
  public:
    struct Entry {
        uint64_t key;  // 0: empty
        uint32_t value;
        uint32_t uses;
    };

    // The entry of `key`, or nullptr.
    Entry* find(uint64_t key) {
        if (capacity_ == 0) return nullptr;
        key = nonzero(key);
        for (size_t i = slot(key);; i = (i + 1) & (capacity_ - 1)) {
            if (entries_[i].key == key) return &entries_[i];
            if (entries_[i].key == 0) return nullptr;
        }
    }

    // Adds `key`, which must not be there. nullptr when the arena is full.
    Entry* insert(Arena& arena, uint64_t key, uint32_t value) {
        if (count_ * 2 >= capacity_ && !grow(arena)) return nullptr;
        ++count_;
        return place({nonzero(key), value, 0});
    }

    // What was just inserted could not be written down: it is not there. Its number stays taken.
    void forget(Entry* entry) { entry->key = nonzero(~entry->key); }

    // Room for the first entries. False when the arena is full.
    bool reserve(Arena& arena) { return capacity_ != 0 || grow(arena); }

    uint32_t count() const { return count_; }

  private:
    static constexpr size_t kFirstCapacity = 128;

    static uint64_t nonzero(uint64_t key) { return key == 0 ? 1 : key; }
    size_t slot(uint64_t key) const {
        return static_cast<size_t>((key * 0x9e3779b97f4a7c15u) >> 32) & (capacity_ - 1);
    }
    Entry* place(const Entry& entry) {
        size_t i = slot(entry.key);
        while (entries_[i].key != 0) i = (i + 1) & (capacity_ - 1);
        entries_[i] = entry;
        return &entries_[i];
    }
    bool grow(Arena& arena) {
        const size_t old_capacity = capacity_;
        Entry* old = entries_;
        const size_t wanted = old_capacity == 0 ? kFirstCapacity : old_capacity * 2;
        Entry* room = arena.allocate_array<Entry>(wanted);
        if (room == nullptr) return false;
        entries_ = room;
        capacity_ = wanted;
        for (size_t i = 0; i < old_capacity; ++i) {
            if (old[i].key != 0) place(old[i]);
        }
        return true;
    }

    Entry* entries_ = nullptr;
    size_t capacity_ = 0;
    uint32_t count_ = 0;
};

}  // namespace cowscope
