// The pages of an epoch that were judged one by one, before the inherited ones are listed.
//
// Callers hold the process's lock.
#pragma once

#include "arch/cpu.h"
#include "support/own_memory.h"
#include "tracker/page_runs.h"

namespace cowscope::epoch {

class ClassifiedPages {
  public:
    struct Entry {
        AddressRange range;
        bool is_fresh;  // else it was copied
    };

    // A page that is there already stays as it was judged first.
    void add(uint64_t page, bool is_fresh) {
        if (is_full() || any(page, [](const Entry&) { return true; })) return;
        entries_[count_++] = {{page, page + cpu::kPageBytes}, is_fresh};
    }
    bool is_copied(uint64_t page) const {
        return any(page, [](const Entry& entry) { return !entry.is_fresh; });
    }
    uint64_t fresh_pages() const {
        uint64_t pages = 0;
        for (size_t i = 0; i < count_; ++i) {
            const AddressRange& range = entries_[i].range;
            if (entries_[i].is_fresh) pages += (range.end - range.start) / cpu::kPageBytes;
        }
        return pages;
    }
    // What stands there from now on is judged anew.
    void forget(uint64_t start, uint64_t end) {
        size_t kept = 0;
        for (size_t i = 0; i < count_; ++i) {
            if (!entries_[i].range.overlaps(start, end)) entries_[kept++] = entries_[i];
        }
        count_ = kept;
    }
    void clear() { count_ = 0; }
    bool is_full() const { return count_ == kCapacity; }
    Entry* begin() { return entries_; }
    Entry* end() { return entries_ + count_; }

  private:
    static constexpr size_t kCapacity = 188;

    template <typename Matches>
    bool any(uint64_t page, Matches&& matches) const {
        for (size_t i = 0; i < count_; ++i) {
            const Entry& entry = entries_[i];
            if (entry.range.overlaps(page, page + cpu::kPageBytes) && matches(entry)) {
                return true;
            }
        }
        return false;
    }

    Entry entries_[kCapacity];
    size_t count_ = 0;
};

}  // namespace cowscope::epoch
