// Packs the ranges of a map of owners into records (trace/heap_owners.h). Those that repeat a short
// pattern are counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/heap/owner_cursor.h"
#include "runtime/heap/owner_pattern.h"
#include "trace/heap_owners.h"

namespace cowscope::observe {

class RangePacker {
  public:
    // Records are appended to `content`. `ids` by owner of the map; some may be the same.
    RangePacker(std::string* content, const std::vector<uint32_t>& ids, size_t most_ranges)
        : content_(*content), ids_(ids), most_ranges_(most_ranges) {}

    void add_all(const runtime::OwnerMap& map);
    // No more was written out: readers take no more.
    bool is_full() const { return is_full_; }

  private:
    using Range = runtime::OwnerPattern::Part;
    using Owner = runtime::OwnerMap::Owner;
    // A dict's keys and values are two; an instance of a class has some more parts.
    static constexpr size_t kLongestPattern = 8;
    static constexpr size_t kMostPacked = trace::kMaxRecordBytes - sizeof(trace::RangesRecord) - 64;
    static constexpr uint64_t kMostRepeated = uint64_t{1} << 30;  // count_ has 32 bits

    void add(uint64_t start, uint64_t end, Owner owner);
    bool begin_pattern(const Range& range);
    const runtime::OwnerPattern& words_of_pattern();
    void skip_repeats(runtime::OwnerCursor* cursor);
    void end_pattern();
    void write(const Range& range);
    void number(uint64_t value);
    void flush();

    std::string& content_;
    const std::vector<uint32_t>& ids_;
    size_t most_ranges_;
    size_t written_ = 0;
    bool is_full_ = false;
    std::string packed_;
    uint32_t count_ = 0;
    uint64_t start_ = 0;
    uint64_t end_ = 0;
    uint32_t last_ = 0;
    uint32_t before_ = 0;
    std::vector<Range> recent_;   // the last ones that were written out
    std::vector<Range> pattern_;  // the last of these, while it comes again
    uint64_t repeated_ = 0;       // ranges since then
    size_t expected_ = 0;         // of the pattern, the next one
    uint64_t skip_at_ = 0;        // repeated_ when it pays to look for more at once
    // Of the patterns that came last: the same come again, from their first range or another.
    std::array<runtime::OwnerPattern, 4> words_;
    size_t oldest_ = 0;
};

}  // namespace cowscope::observe
