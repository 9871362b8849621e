// Ranges of memory and their owners, in ascending order. Millions of them mostly repeat a short
// pattern (a dict's keys and values side by side), and such a pattern is kept once.
//
// Addresses are in units of kRangeUnit bytes (trace/heap_owners.h). Not for several threads at once
// while something is added.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cowscope::trace {

class OwnerRanges {
  public:
    // Adds a range. False for one that is empty, owned by 0, beyond the address space or not behind
    // all others.
    bool append(uint64_t start, uint64_t length, uint32_t owner);
    // The last `count` ranges come again `times` times, with the gaps that they had, the one in
    // front of the first among them. False where they were not all appended since the last repeat()
    // or begin_pattern(), or reach beyond the address space.
    bool repeat(uint64_t count, uint64_t times);
    // What follows repeats nothing of what was before. `end`: where the first gap from now on
    // starts.
    void begin_pattern(uint64_t end);

    // How many there are, each repetition counted.
    uint64_t size() const { return size_; }
    // How many of them are written out.
    size_t kept() const { return ranges_.size(); }
    // As many as it takes memory of: patterns take some, too.
    size_t weight() const {
        return ranges_.size() + pieces_.size() * (sizeof(Piece) / sizeof(Range));
    }
    // Behind the last one, or where the pattern begins.
    uint64_t end() const { return end_; }
    // Of the range that holds the unit; 0 for none.
    uint32_t find(uint64_t unit) const;
    // Calls take(start, length, owner) for each range that reaches into [from, to).
    template <typename Take>
    void for_each_in(uint64_t from, uint64_t to, const Take& take) const {
        for (size_t i = piece_at(from); i < pieces_.size() && pieces_[i].start < to; ++i) {
            const Piece& piece = pieces_[i];
            const uint64_t skipped = from > piece.start ? (from - piece.start) / piece.stride : 0;
            for (uint64_t time = skipped; time < piece.times; ++time) {
                const uint64_t base = piece.start + time * piece.stride;
                if (base >= to) return;
                const uint64_t offset = from > base ? from - base : 0;
                const size_t end = size_t{piece.first} + piece.count;
                for (size_t at = range_at(piece, offset); at < end; ++at) {
                    const Range& range = ranges_[at];
                    if (base + range.offset >= to) return;
                    take(base + range.offset, range.length, range.owner);
                }
            }
        }
    }

  private:
    struct Range {
        uint64_t offset;  // from the start of its piece, in the first repetition
        uint32_t length;
        uint32_t owner;
    };
    // `count` ranges that stand there `times` times.
    struct Piece {
        uint64_t start;   // a gap in front of its first range is part of it
        uint64_t stride;  // its length, once
        uint64_t times;
        uint32_t first;  // of ranges_
        uint32_t count;
    };
    // The last piece that starts at or before the unit, or the first one.
    size_t piece_at(uint64_t unit) const;
    // The first range that ends behind the offset: an index into ranges_, maybe behind the piece's.
    size_t range_at(const Piece& piece, uint64_t offset) const;

    std::vector<Range> ranges_;
    std::vector<Piece> pieces_;  // ascending, disjoint
    uint64_t size_ = 0;
    uint64_t end_ = 0;
    bool can_grow_ = false;  // the last piece is of single ranges since begin_pattern()
};

}  // namespace cowscope::trace
