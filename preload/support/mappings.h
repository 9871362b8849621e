// /proc/self/maps, read without libc.
#pragma once

#include "support/arena.h"
#include "support/own_memory.h"

namespace cowscope {

struct Mapping {
    uint64_t start;
    uint64_t end;
    bool readable;
    bool writable;
    bool is_private;
    bool is_file;
    bool is_hugetlb;  // anonymous memory of MAP_HUGETLB; such a mapping of a file is not told
    bool special;     // [vdso], [vvar], [vsyscall]: not ordinary memory
};

// The one of `count` mappings, sorted by address, that holds `address`; or nullptr.
const Mapping* find_mapping(const Mapping* mappings, size_t count, uint64_t address);

// What lies in [start, end) is not known any more. Where that is the middle of one mapping, its
// part behind that is returned, of which there is none yet, and `*at` is the index that it belongs
// at.
Mapping forget_mappings(Mapping* mappings, size_t count, uint64_t start, uint64_t end, size_t* at);

class Mappings {
  public:
    // Reads the file anew, in pieces, and calls text_sink(const char*, size_t, bool last) with each
    // piece of its text, when given. `scratch` holds kScratchBytes. Returns 0 or -errno.
    // Async-signal-safe; callers hold the process's lock.
    static constexpr size_t kScratchBytes = 32 * 1024;

    template <typename TextSink>
    int read(Arena& arena, char* scratch, TextSink&& text_sink);
    int read(Arena& arena, char* scratch) {
        return read(arena, scratch, [](const char*, size_t, bool) {});
    }

    const ArenaArray<Mapping>& all() const { return mappings_; }

    // The mapping that holds `address`, or nullptr. Mostly it is the one that was found last.
    const Mapping* find(uint64_t address) {
        if (last_ < mappings_.size() && mappings_[last_].start <= address &&
            address < mappings_[last_].end) {
            return &mappings_[last_];
        }
        const Mapping* found = find_mapping(mappings_.begin(), mappings_.size(), address);
        if (found != nullptr) last_ = static_cast<size_t>(found - mappings_.begin());
        return found;
    }

    // The program has unmapped it, or mapped something else there.
    void forget(Arena& arena, uint64_t start, uint64_t end) {
        if (mappings_.empty()) return;
        size_t at = 0;
        const Mapping behind = forget_mappings(&mappings_[0], mappings_.size(), start, end, &at);
        if (behind.start == behind.end || !mappings_.push(arena, behind)) return;
        for (size_t i = mappings_.size() - 1; i > at; --i) mappings_[i] = mappings_[i - 1];
        mappings_[at] = behind;
    }

    // The shim's own memory. The kernel may show it as one mapping with what the program has beside
    // it; here it is one of its own.
    void set_own(const OwnMemory& own) { own_ = own; }
    // Of the text, but for what is the shim's own; and the same without the ends of heap and stack,
    // which grow.
    uint64_t text_hash() const { return text_hash_; }
    uint64_t kinds_hash() const { return kinds_hash_; }

    // Whether one of them is an io_uring's.
    bool has_ring() const { return has_ring_; }

  private:
    bool add_line(Arena& arena, const char* line);
    bool add(Arena& arena, const Mapping& mapping);
    void hash(uint64_t all_of_it, uint64_t kind);
    void hash_line(const char* line, const Mapping& mapping, const char* kind);
    void hash_anonymous();

    ArenaArray<Mapping> mappings_;
    OwnMemory own_ = {};
    size_t last_ = 0;
    uint64_t text_hash_ = 0;
    uint64_t kinds_hash_ = 0;
    AddressRange anonymous_ = {};  // without a gap, all of one kind; not hashed yet
    uint64_t anonymous_kind_ = 0;
    bool has_ring_ = false;
};

// The mappings in memory that a forked child inherits, so that it knows them without asking.
class KnownMappings {
  public:
    void take(const ArenaArray<Mapping>& mappings) {
        count_ = mappings.size() < kCapacity ? mappings.size() : kCapacity;
        for (size_t i = 0; i < count_; ++i) entries_[i] = mappings[i];
    }
    // The program has made [start, end), or more, writable.
    void set_writable(uint64_t start, uint64_t end) {
        for (size_t i = 0; i < count_; ++i) {
            if (entries_[i].start < end && entries_[i].end > start) entries_[i].writable = true;
        }
    }
    void forget(uint64_t start, uint64_t end) {
        size_t at = 0;
        const Mapping behind = forget_mappings(entries_, count_, start, end, &at);
        if (behind.start == behind.end || count_ == kCapacity) return;
        for (size_t i = count_++; i > at; --i) entries_[i] = entries_[i - 1];
        entries_[at] = behind;
    }
    const Mapping* begin() const { return entries_; }
    const Mapping* end() const { return entries_ + count_; }
    // nullptr also for what was mapped since, or found no room.
    const Mapping* find(uint64_t address) const { return find_mapping(entries_, count_, address); }

  private:
    // Programs with more than a few hundred are rare; untouched room costs nothing.
    static constexpr size_t kCapacity = 4 * 1024;

    Mapping entries_[kCapacity] = {};
    size_t count_ = 0;
};

template <typename TextSink>
int Mappings::read(Arena& arena, char* scratch, TextSink&& text_sink) {
    // Not /proc/self: when the main thread has ended, that one has no memory any more.
    const int fd = sys::open("/proc/thread-self/maps", O_RDONLY);
    if (fd < 0) return fd;
    mappings_.clear();
    has_ring_ = false;
    text_hash_ = kinds_hash_ = 1;
    anonymous_ = {};
    size_t held = 0;  // an incomplete line at the start of scratch
    bool complete = true;
    for (;;) {
        const long got = sys::read(fd, scratch + held, kScratchBytes - 1 - held);
        if (got < 0) {
            sys::close(fd);
            return static_cast<int>(got);
        }
        text_sink(scratch + held, static_cast<size_t>(got), got == 0);
        if (got == 0) break;
        const size_t filled = held + static_cast<size_t>(got);
        size_t line = 0;
        for (size_t i = held; i < filled; ++i) {
            if (scratch[i] != '\n') continue;
            scratch[i] = '\0';
            complete = add_line(arena, scratch + line) && complete;
            line = i + 1;
        }
        held = filled - line;
        // A line holds a path of at most 4 KiB: the buffer always has room for more.
        for (size_t i = 0; i < held; ++i) scratch[i] = scratch[line + i];
    }
    sys::close(fd);
    hash_anonymous();
    return complete ? 0 : -12 /* ENOMEM */;
}

}  // namespace cowscope
