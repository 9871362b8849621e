#include "trace/owner_ranges.h"

#include <algorithm>

#include "arch/processor.h"
#include "trace/heap_owners.h"

namespace cowscope::trace {
namespace {

constexpr uint64_t kRangesEnd = arch::kAddressSpaceEnd / kRangeUnit;

}  // namespace

bool OwnerRanges::append(uint64_t start, uint64_t length, uint32_t owner) {
    if (owner == 0 || length == 0 || length > UINT32_MAX || start < end_ || start > kRangesEnd ||
        length > kRangesEnd - start) {
        return false;
    }
    if (!can_grow_) {
        pieces_.push_back({end_, 0, 1, static_cast<uint32_t>(ranges_.size()), 0});
        can_grow_ = true;
    }
    Piece& piece = pieces_.back();
    ranges_.push_back({start - piece.start, static_cast<uint32_t>(length), owner});
    ++piece.count;
    end_ = start + length;
    piece.stride = end_ - piece.start;
    ++size_;
    return true;
}

bool OwnerRanges::repeat(uint64_t count, uint64_t times) {
    if (!can_grow_ || count == 0 || count > pieces_.back().count || times == 0) return false;
    Piece& piece = pieces_.back();
    const uint32_t kept = piece.count - static_cast<uint32_t>(count);
    const uint32_t first = piece.first + kept;
    // Where the pattern starts: behind the range before it.
    const uint64_t shift = kept == 0 ? 0 : ranges_[first - 1].offset + ranges_[first - 1].length;
    const uint64_t start = piece.start + shift;
    const uint64_t stride = end_ - start;
    if (times > (kRangesEnd - end_) / stride) return false;
    if (kept == 0) {
        piece.times = times + 1;
    } else {
        piece.count = kept;
        piece.stride = shift;
        for (size_t i = first; i < ranges_.size(); ++i) ranges_[i].offset -= shift;
        pieces_.push_back({start, stride, times + 1, first, static_cast<uint32_t>(count)});
    }
    size_ += count * times;
    end_ += stride * times;
    can_grow_ = false;
    return true;
}

void OwnerRanges::begin_pattern(uint64_t end) {
    can_grow_ = false;
    end_ = std::max(end_, end);
}

size_t OwnerRanges::piece_at(uint64_t unit) const {
    const auto behind =
        std::upper_bound(pieces_.begin(), pieces_.end(), unit,
                         [](uint64_t value, const Piece& piece) { return value < piece.start; });
    return behind == pieces_.begin() ? 0 : static_cast<size_t>(behind - pieces_.begin()) - 1;
}

size_t OwnerRanges::range_at(const Piece& piece, uint64_t offset) const {
    const auto begin = ranges_.begin() + piece.first;
    const auto found = std::partition_point(begin, begin + piece.count, [&](const Range& range) {
        return range.offset + range.length <= offset;
    });
    return static_cast<size_t>(found - ranges_.begin());
}

uint32_t OwnerRanges::find(uint64_t unit) const {
    if (pieces_.empty()) return 0;
    const Piece& piece = pieces_[piece_at(unit)];
    if (unit < piece.start || unit - piece.start >= piece.stride * piece.times) return 0;
    const uint64_t offset = (unit - piece.start) % piece.stride;
    const size_t at = range_at(piece, offset);
    const bool is_inside = at < size_t{piece.first} + piece.count && ranges_[at].offset <= offset;
    return is_inside ? ranges_[at].owner : 0;
}

}  // namespace cowscope::trace
