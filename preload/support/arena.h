// All memory of the shim that one process writes after its fork: one private mapping, so that one
// range tells the shim's own pages from the program's. Children inherit the room without what is in
// it (MADV_WIPEONFORK), and start there anew.
//
// What is not allocated yet is address space that nobody can write to: it is neither charged
// (vm.overcommit_memory, RLIMIT_DATA) nor locked with the rest of the program (mlockall), and where
// the address space is limited the arena takes a small part of what is left.
//
// Allocation only moves a mark, from the end down: the kernel puts new mappings below the others,
// so that what is allocated first shares a page table with what is there. Nothing is given back
// before the process ends or releases the whole arena. Not thread-safe: callers hold the process's
// lock. Async-signal-safe.
#pragma once

#include <new>

#include "arch/cpu.h"
#include "support/address_space.h"
#include "support/syscall.h"

namespace cowscope {

class Arena {
  public:
    // Enough for the inherited runs of a heap of which every second page is missing, up to 8 GiB.
    // No multiple of 2 MiB: such a mapping is aligned for huge pages, and gets page tables of its
    // own.
    static constexpr size_t kBytes = (size_t{64} << 20) - (size_t{64} << 10);
    static constexpr size_t kLeastBytes = size_t{512} << 10;
    // Of what RLIMIT_AS leaves.
    static constexpr size_t kPartOfLimit = 16;
    // What is made accessible ahead of use.
    static constexpr size_t kStepBytes = size_t{128} << 10;
    static constexpr size_t kAlignment = 64;

    bool create() {
        for (size_t bytes = most_bytes(); bytes >= kLeastBytes; bytes = cpu::page_of(bytes / 4)) {
            void* memory = sys::mmap(sys::OwnPlace::arena, bytes, PROT_NONE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
            if (sys::failed(memory)) continue;  // do with less
            sys::unlock(memory, bytes);
            is_wiped_by_forks_ = sys::madvise(memory, bytes, MADV_WIPEONFORK) == 0;
            if (!is_wiped_by_forks_) sys::madvise(memory, bytes, MADV_DONTFORK);
            // A huge page would make the shim weigh 2 MiB in every child.
            sys::madvise(memory, bytes, MADV_NOHUGEPAGE);
            start_ = static_cast<unsigned char*>(memory);
            capacity_ = bytes;
            used_ = accessible_ = 0;
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
        if (used_ + rounded > accessible_ && !make_accessible(used_ + rounded)) return nullptr;
        used_ += rounded;
        return start_ + capacity_ - used_;
    }

    // Gives back address space that is not used, down to what create() would take now: the program
    // is about to limit what it may have to `limit_bytes`. It may have allocated from a copy of
    // this arena: `used` says how much.
    void shrink(size_t limit_bytes, const Arena& used);
    // This one is a copy of the other, which was shrunk.
    void take_bounds_of(const Arena& other) {
        start_ = other.start_;
        capacity_ = other.capacity_;
    }

    // Backs the last `bytes` that will be allocated first, in one go: each page that faults later
    // takes longer, and raises one of the witness's signals.
    void populate(size_t bytes) {
        if (make_accessible(bytes)) sys::populate(start_ + capacity_ - bytes, bytes);
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
    static size_t most_bytes() {
        struct rlimit limit;
        if (sys::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
            return kBytes;
        }
        const size_t part = cpu::page_of(left_of(limit.rlim_cur) / kPartOfLimit);
        return part < kBytes ? part : kBytes;
    }
    static size_t left_of(size_t limit_bytes) {
        const size_t taken = sys::address_space_bytes();
        return taken < limit_bytes ? limit_bytes - taken : 0;
    }

    bool make_accessible(size_t bytes) {
        if (bytes <= accessible_) return true;
        const size_t steps = (bytes + kStepBytes - 1) / kStepBytes * kStepBytes;
        const size_t wanted = steps < capacity_ ? steps : capacity_;
        if (sys::failed(sys::syscall3(SYS_mprotect, sys::word(start_ + capacity_ - wanted),
                                      static_cast<long>(wanted - accessible_),
                                      PROT_READ | PROT_WRITE))) {
            return false;
        }
        accessible_ = wanted;
        return true;
    }

    unsigned char* start_ = nullptr;
    size_t capacity_ = 0;
    size_t used_ = 0;
    size_t accessible_ = 0;  // of the end
    bool is_wiped_by_forks_ = false;
};

inline void Arena::shrink(size_t limit_bytes, const Arena& used) {
    // What is in use, and as much again.
    const size_t needed = 2 * (used.accessible_ + kStepBytes);
    size_t wanted = cpu::page_of(left_of(limit_bytes) / kPartOfLimit);
    if (wanted < needed) wanted = needed;
    if (wanted >= capacity_) return;
    sys::munmap(start_, capacity_ - wanted);
    start_ += capacity_ - wanted;
    capacity_ = wanted;
}

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
