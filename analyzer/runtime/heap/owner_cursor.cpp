#include "runtime/heap/owner_cursor.h"

#include <algorithm>

namespace cowscope::runtime {

namespace {

constexpr uint64_t kGranule = OwnerMap::kGranule;

}  // namespace

OwnerCursor::OwnerCursor(const OwnerMap& map) : runs_(map.runs_) {
    for (const OwnerMap::Slot& slot : map.slots_) {
        if (slot.chunk != nullptr) chunks_.push_back(slot);
    }
    std::sort(chunks_.begin(), chunks_.end(),
              [](const auto& a, const auto& b) { return a.number < b.number; });
    std::stable_sort(runs_.begin(), runs_.end(),
                     [](const auto& a, const auto& b) { return a.start < b.start; });
    step(&place_);
}

const OwnerPage* OwnerCursor::next_page(Place* place, uint64_t* start) const {
    for (; place->chunk < chunks_.size(); ++place->chunk, place->page = 0) {
        const OwnerMap::Slot& slot = chunks_[place->chunk];
        for (; place->page < OwnerMap::kChunkPages; ++place->page) {
            const OwnerPage* page = (*slot.chunk)[place->page];
            if (page == nullptr) continue;
            *start = slot.number * OwnerMap::kChunk + place->page * OwnerMap::kPage;
            return page;
        }
    }
    return nullptr;
}

// Pages within a run are those of objects that lie where the block was read to be: both are told,
// each where it is.
void OwnerCursor::step(Place* place) const {
    const uint64_t done = place->piece.end;
    while (place->run < runs_.size() && runs_[place->run].end <= done) ++place->run;
    const OwnerMap::Run* run = place->run < runs_.size() ? &runs_[place->run] : nullptr;
    uint64_t start = 0;
    const OwnerPage* page = next_page(place, &start);
    if (page != nullptr && (run == nullptr || start <= std::max(run->start, done))) {
        place->piece = {start, start + OwnerMap::kPage, page, 0};
        ++place->page;
    } else if (run != nullptr) {
        const uint64_t end = page == nullptr ? run->end : std::min(run->end, start);
        place->piece = {std::max(run->start, done), end, nullptr, run->owner};
    } else {
        place->piece = {};
    }
}

bool OwnerCursor::next(Range* range) {
    range->owner = 0;
    for (; place_.piece.is_there(); step(&place_)) {
        const Piece& piece = place_.piece;
        for (uint64_t from = std::max(position_, piece.start); from < piece.end;) {
            // Only what touches goes on.
            if (range->owner != 0 && from != range->end) return true;
            Range more = {from, piece.end, piece.owner};
            bool is_whole = false;
            if (piece.page != nullptr) {
                const auto stretch = piece.page->stretch_from((from - piece.start) / kGranule);
                if (stretch.owner == 0) break;
                more = {piece.start + stretch.first * kGranule,
                        piece.start + stretch.behind * kGranule, stretch.owner};
                is_whole = stretch.behind % OwnerPage::kWordBits != 0;
            }
            if (range->owner == 0) {
                *range = more;
            } else if (more.owner == range->owner && more.start == range->end) {
                range->end = more.end;
            } else {
                return true;
            }
            from = position_ = range->end;
            if (is_whole) return true;
        }
    }
    return range->owner != 0;
}

uint64_t OwnerCursor::skip_repeats(const OwnerPattern& pattern, size_t part, uint64_t most) {
    if (!pattern.has_words()) return 0;
    Place ahead = place_;
    uint64_t at = position_;
    uint64_t phase = pattern.phase_of(part);
    while (ahead.piece.page != nullptr && !ahead.piece.page->has_many() &&
           ahead.piece.start <= at) {
        const size_t from = (at - ahead.piece.start) / kGranule;
        const size_t same = pattern.same_on(*ahead.piece.page, from, phase);
        at += same * kGranule;
        if (at != ahead.piece.end) break;
        phase = (phase + same) % pattern.stride();
        step(&ahead);
    }
    const auto whole = pattern.parts_within((at - position_) / kGranule, part, most);
    position_ += whole.granules * kGranule;
    while (position_ > place_.piece.end) step(&place_);
    return whole.parts;
}

}  // namespace cowscope::runtime
