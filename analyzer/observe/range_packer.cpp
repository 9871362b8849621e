#include "observe/range_packer.h"

#include <algorithm>

#include "observe/append_record.h"

namespace cowscope::observe {

namespace {

// A longer range than its number can say comes in parts.
constexpr uint64_t kLongest = uint64_t{1} << 34;
// To make words of a pattern costs as much as some ranges, and most end after a few.
constexpr uint64_t kRepeatsBeforeSkip = 6;
constexpr uint64_t kRepeatsBetweenSkips = 64;

}  // namespace

void RangePacker::add_all(const runtime::OwnerMap& map) {
    runtime::OwnerCursor cursor(map);
    for (runtime::OwnerCursor::Range range; !is_full_ && cursor.next(&range);) {
        while (range.start < range.end) {
            const uint64_t stop = std::min(range.end, range.start + kLongest);
            add(range.start, stop, range.owner);
            range.start = stop;
        }
        if (!pattern_.empty() && repeated_ >= skip_at_) skip_repeats(&cursor);
    }
    flush();
}

void RangePacker::add(uint64_t start, uint64_t end, Owner owner) {
    if (is_full_) return;
    const bool is_long = !pattern_.empty() && repeated_ == kMostRepeated;
    if (packed_.size() > kMostPacked || is_long) flush();
    if (count_ == 0) {
        start_ = end_ = start;
        last_ = before_ = 0;
    }
    constexpr uint64_t kUnit = trace::kRangeUnit;
    const Range range = {(start - end_) / kUnit, (end - start) / kUnit, owner};
    end_ = end;
    if (!pattern_.empty() && range == pattern_[expected_]) {
        ++repeated_;
        if (++expected_ == pattern_.size()) expected_ = 0;
        return;
    }
    end_pattern();
    if (!begin_pattern(range)) write(range);
}

// Whether the range is the one that came some ranges ago.
bool RangePacker::begin_pattern(const Range& range) {
    const auto before = std::find(recent_.rbegin(), recent_.rend(), range);
    if (before == recent_.rend()) return false;
    pattern_.assign(std::prev(before.base()), recent_.end());
    repeated_ = 1;
    expected_ = 1 % pattern_.size();
    skip_at_ = kRepeatsBeforeSkip;
    return true;
}

const runtime::OwnerPattern& RangePacker::words_of_pattern() {
    for (const runtime::OwnerPattern& words : words_) {
        if (words.parts() == pattern_) return words;
    }
    runtime::OwnerPattern& words = words_[oldest_];
    words.assign(pattern_);
    oldest_ = (oldest_ + 1) % words_.size();
    return words;
}

void RangePacker::skip_repeats(runtime::OwnerCursor* cursor) {
    const uint64_t parts =
        cursor->skip_repeats(words_of_pattern(), expected_, kMostRepeated - repeated_);
    repeated_ += parts;
    expected_ = (expected_ + parts) % pattern_.size();
    skip_at_ = repeated_ + kRepeatsBetweenSkips;
    end_ = cursor->position();
}

void RangePacker::end_pattern() {
    if (pattern_.empty()) return;
    const std::vector<Range> pattern = std::move(pattern_);
    pattern_.clear();
    const uint64_t times = repeated_ / pattern.size();
    if (times != 0) {
        number(pattern.size());
        number(times << 2 | 3);
        count_ += static_cast<uint32_t>(times * pattern.size());
        // What repeats has to be written out behind this.
        recent_.clear();
    }
    for (size_t i = 0; i < repeated_ % pattern.size(); ++i) write(pattern[i]);
}

void RangePacker::write(const Range& range) {
    if (written_ == most_ranges_) {
        is_full_ = true;
        return;
    }
    ++written_;
    // Owners of the map may share one of the file's.
    const uint32_t id = ids_[range.owner];
    const uint64_t how = id == last_ ? 0 : id == before_ ? 1 : 2;
    number(range.gap);
    number(range.length << 2 | how);
    if (how == 2) number(id);
    if (id != last_) {
        before_ = last_;
        last_ = id;
    }
    ++count_;
    if (recent_.size() == kLongestPattern) recent_.erase(recent_.begin());
    recent_.push_back(range);
}

void RangePacker::number(uint64_t value) {
    while (value >= 0x80) {
        packed_.push_back(static_cast<char>(value | 0x80));
        value >>= 7;
    }
    packed_.push_back(static_cast<char>(value));
}

void RangePacker::flush() {
    end_pattern();
    recent_.clear();
    if (count_ == 0) return;
    trace::RangesRecord record{};
    record.start = start_;
    record.count = count_;
    record.packed_bytes = static_cast<uint32_t>(packed_.size());
    append_record(&content_, trace::kRangesRecord, record, packed_);
    packed_.clear();
    count_ = 0;
}

}  // namespace cowscope::observe
