// All memory of the shim that one process writes after its fork: one private mapping, so that one
// range tells the shim's own pages from the program's. Children inherit the room without what is in
// it (MADV_WIPEONFORK), and start there anew.
//
// Allocation only moves a mark, from the end down: the kernel puts new mappings below the others,
// so that what is allocated first shares a page table with what is there. Nothing is given back
// before the process ends or releases the whole arena. Not thread-safe: callers hold the process's
// lock. Async-signal-safe.
#pragma once

#include <new>

#include "support/syscall.h"

namespace cowscope {

class Arena {
  public:
    // Address space, not memory: pages are backed when they are touched. Enough for the inherited
    // runs of a heap of which every second page is missing, up to 8 GiB. No multiple of 2 MiB: such
    // a mapping is aligned for huge pages, and gets page tables of its own.
    static constexpr size_t kBytes = (size_t{64} << 20) - (size_t{64} << 10);
    static constexpr size_t kAlignment = 64;

    bool create() {
        for (size_t bytes = kBytes; bytes >= kBytes / 16; bytes /= 4) {
            void* memory = sys::mmap(bytes, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
            if (sys::failed(memory)) continue;  // RLIMIT_AS: do with less
            is_wiped_by_forks_ = sys::madvise(memory, bytes, MADV_WIPEONFORK) == 0;
            if (!is_wiped_by_forks_) sys::madvise(memory, bytes, MADV_DONTFORK);
            // A huge page would make the shim weigh 2 MiB in every child.
            sys::madvise(memory, bytes, MADV_NOHUGEPAGE);
            start_ = static_cast<unsigned char*>(memory);
            capacity_ = bytes;
            used_ = 0;
            return true;
        }
        return false;
    }

    // Whether a forked child finds this room empty; else it has none.
    bool is_wiped_by_forks() const { return is_wiped_by_forks_; }

    // Zeroed memory, or nullptr when the arena is full.
    void* allocate(size_t bytes) {
        const size_t rounded = (bytes + kAlignment - 1) & ~(kAlignment - 1);
        if (rounded < bytes || rounded > capacity_ - used_) return nullptr;
        used_ += rounded;
        return start_ + capacity_ - used_;
    }

    // Backs the last `bytes` that will be allocated first, in one go: each page that faults later
    // takes longer, and raises one of the witness's signals.
    void populate(size_t bytes) {
        constexpr int kMadvPopulateWrite = 23;  // Linux 5.14; without it they fault
        sys::madvise(start_ + capacity_ - bytes, bytes, kMadvPopulateWrite);
    }
    template <typename T>
    T* allocate_array(size_t count) {
        if (count > capacity_ / sizeof(T)) return nullptr;
        return static_cast<T*>(allocate(count * sizeof(T)));
    }
    // Does not write to members that have no initialiser: they are zero already.
    template <typename T>
    T* create_object() {
        void* room = allocate(sizeof(T));
        return room == nullptr ? nullptr : new (room) T;
    }

    uint64_t start() const { return reinterpret_cast<uint64_t>(start_); }
    uint64_t end() const { return start() + capacity_; }

  private:
    unsigned char* start_ = nullptr;
    size_t capacity_ = 0;
    size_t used_ = 0;
    bool is_wiped_by_forks_ = false;
};

// A growing array in an Arena. Growing leaves the old storage behind, so a reader that holds the
// old pointer still reads valid memory.
template <typename T>
class ArenaArray {
  public:
    // False when the arena is full; the array is unchanged then.
    bool push(Arena& arena, const T& value) {
        if (size_ == capacity_) {
            const size_t wanted = capacity_ == 0 ? 256 : capacity_ * 2;
            T* room = arena.allocate_array<T>(wanted);
            if (room == nullptr) return false;
            for (size_t i = 0; i < size_; ++i) room[i] = items_[i];
            items_ = room;
            capacity_ = wanted;
        }
        items_[size_++] = value;
        return true;
    }
    void clear() { size_ = 0; }
    // To at most its present size.
    void shrink(size_t size) { size_ = size; }
    size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    T& operator[](size_t i) { return items_[i]; }
    const T& operator[](size_t i) const { return items_[i]; }
    const T* begin() const { return items_; }
    const T* end() const { return items_ + size_; }
    T& back() { return items_[size_ - 1]; }

  private:
    T* items_ = nullptr;
    size_t size_ = 0;
    size_t capacity_ = 0;
};

}  // namespace cowscope
