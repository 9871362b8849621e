// Reads a map of owners from its lowest address to its highest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/heap/owner_map.h"
#include "runtime/heap/owner_pattern.h"

namespace cowscope::runtime {

class OwnerCursor {
  public:
    // The map must outlive it, unchanged.
    explicit OwnerCursor(const OwnerMap& map);

    struct Range {
        uint64_t start = 0;
        uint64_t end = 0;
        OwnerMap::Owner owner = 0;
        bool operator==(const Range&) const = default;
    };
    // The next range of one owner, as long as it goes on; ends are multiples of kGranule. False
    // behind the last.
    bool next(Range* range);
    // Passes over ranges that are the pattern's from `part` on, again and again: `most` of them at
    // most. How many there were; maybe not all that there are.
    uint64_t skip_repeats(const OwnerPattern& pattern, size_t part, uint64_t most);
    // Behind the last one that was given or passed.
    uint64_t position() const { return position_; }

  private:
    // A page, or whole pages of a run in which none is known on its own.
    struct Piece {
        uint64_t start = 0;
        uint64_t end = 0;
        const OwnerPage* page = nullptr;
        OwnerMap::Owner owner = 0;
        bool is_there() const { return end != 0; }
    };
    // Of the pieces, in order.
    struct Place {
        size_t chunk = 0;
        size_t page = 0;  // of the chunk: the next one
        size_t run = 0;
        Piece piece;
    };
    void step(Place* place) const;
    // The next page of the map, which stays the next; its address. nullptr: there is none.
    const OwnerPage* next_page(Place* place, uint64_t* start) const;

    std::vector<OwnerMap::Slot> chunks_;
    std::vector<OwnerMap::Run> runs_;
    Place place_;
    uint64_t position_ = 0;  // at the end of the piece or before it
};

}  // namespace cowscope::runtime
