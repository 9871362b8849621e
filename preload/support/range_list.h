// A few address ranges, in no order. Callers hold the process's lock.
#pragma once

#include "support/own_memory.h"

namespace cowscope {

// Lives in zeroed memory.
template <size_t kCapacity>
class RangeList {
  public:
    // False where there is no room: it is not in the list then.
    bool add(uint64_t start, uint64_t end) {
        // What is mapped or unmapped piece by piece is one range in the end.
        for (size_t i = 0; i < count_;) {
            AddressRange& range = ranges_[i];
            if (range.start > end || range.end < start) {
                ++i;
                continue;
            }
            if (range.start < start) start = range.start;
            if (range.end > end) end = range.end;
            range = ranges_[--count_];
        }
        if (count_ == kCapacity) return false;
        ranges_[count_++] = {start, end};
        return true;
    }
    void remove(uint64_t start, uint64_t end) {
        for (size_t i = 0; i < count_;) {
            AddressRange& range = ranges_[i];
            if (!range.overlaps(start, end)) {
                ++i;
                continue;
            }
            const AddressRange behind = {end, range.end};
            if (range.start < start) {
                range.end = start;
                ++i;
            } else {
                range = ranges_[--count_];
            }
            if (!behind.empty() && count_ < kCapacity) ranges_[count_++] = behind;
        }
    }
    bool has(uint64_t address) const {
        for (const AddressRange& range : *this) {
            if (range.overlaps(address, address + 1)) return true;
        }
        return false;
    }
    void clear() { count_ = 0; }
    const AddressRange* begin() const { return ranges_; }
    const AddressRange* end() const { return ranges_ + count_; }

  private:
    AddressRange ranges_[kCapacity];
    size_t count_;
};

}  // namespace cowscope
