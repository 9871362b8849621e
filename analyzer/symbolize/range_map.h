// Ranges of addresses that may overlap and nest, with a value each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace cowscope::symbolize {

template <typename Value>
class RangeMap {
  public:
    // [start, end); empty ranges are left out.
    void add(uint64_t start, uint64_t end, Value value) {
        if (start < end) ranges_.push_back({start, end, 0, std::move(value)});
    }

    // After the last add() and before the first find().
    void finish() {
        std::stable_sort(ranges_.begin(), ranges_.end(),
                         [](const Range& a, const Range& b) { return a.start < b.start; });
        uint64_t furthest_end = 0;
        for (Range& range : ranges_) {
            furthest_end = std::max(furthest_end, range.end);
            range.furthest_end = furthest_end;
        }
    }

    // The value of the shortest range that covers the address, of equal ones the first added;
    // nullptr if there is none.
    [[nodiscard]] const Value* find(uint64_t address) const {
        auto next = std::upper_bound(
            ranges_.begin(), ranges_.end(), address,
            [](uint64_t wanted, const Range& range) { return wanted < range.start; });
        const Range* best = nullptr;
        while (next != ranges_.begin()) {
            const Range& range = *--next;
            if (range.furthest_end <= address) break;
            const bool covers = address < range.end;
            if (covers && (best == nullptr || range.size() <= best->size())) best = &range;
        }
        return best == nullptr ? nullptr : &best->value;
    }

    [[nodiscard]] bool empty() const { return ranges_.empty(); }

  private:
    struct Range {
        uint64_t start;
        uint64_t end;
        uint64_t furthest_end;  // of this range and all before it
        Value value;

        [[nodiscard]] uint64_t size() const { return end - start; }
    };
    std::vector<Range> ranges_;
};

}  // namespace cowscope::symbolize
