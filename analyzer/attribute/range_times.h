// When something happened to ranges of pages: the first time, or the last, that a page was in one,
// in O(log^2) of their number.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "trace/page_set.h"

namespace cowscope::attribute {

class RangeTimes {
  public:
    void add(const trace::PageRun& run, uint64_t time_ns) {
        if (run.pages == 0) return;
        ranges_.push_back({run.start, run.start + run.pages * trace::kPageBytes, time_ns});
    }

    // Once, behind the last add().
    void settle() {
        for (const Range& range : ranges_) {
            borders_.push_back(range.start);
            borders_.push_back(range.end);
        }
        std::sort(borders_.begin(), borders_.end());
        borders_.erase(std::unique(borders_.begin(), borders_.end()), borders_.end());
        times_.resize(2 * borders_.size());
        for (const Range& range : ranges_) {
            // A range is in at most two nodes of each level, and a page in one.
            size_t low = slot(range.start) + borders_.size();
            size_t high = slot(range.end) + borders_.size();
            for (; low < high; low /= 2, high /= 2) {
                if (low % 2 == 1) times_[low++].push_back(range.time_ns);
                if (high % 2 == 1) times_[--high].push_back(range.time_ns);
            }
        }
        for (auto& each : times_) std::sort(each.begin(), each.end());
        ranges_ = {};
    }

    bool empty() const { return borders_.empty(); }

    // The first time behind `time_ns`.
    std::optional<uint64_t> first_after(uint64_t page, uint64_t time_ns) const {
        std::optional<uint64_t> first;
        for_each_list(page, [&](const std::vector<uint64_t>& times) {
            const auto at = std::upper_bound(times.begin(), times.end(), time_ns);
            if (at != times.end() && (!first || *at < *first)) first = *at;
        });
        return first;
    }
    // The last time before `time_ns`.
    std::optional<uint64_t> last_before(uint64_t page, uint64_t time_ns) const {
        std::optional<uint64_t> last;
        for_each_list(page, [&](const std::vector<uint64_t>& times) {
            const auto at = std::lower_bound(times.begin(), times.end(), time_ns);
            if (at != times.begin() && (!last || *std::prev(at) > *last)) last = *std::prev(at);
        });
        return last;
    }

  private:
    struct Range {
        uint64_t start;
        uint64_t end;
        uint64_t time_ns;
    };

    size_t slot(uint64_t border) const {
        return static_cast<size_t>(std::lower_bound(borders_.begin(), borders_.end(), border) -
                                   borders_.begin());
    }
    template <typename Sink>
    void for_each_list(uint64_t page, const Sink& sink) const {
        const auto above = std::upper_bound(borders_.begin(), borders_.end(), page);
        if (above == borders_.begin()) return;
        size_t node = static_cast<size_t>(above - borders_.begin()) - 1 + borders_.size();
        for (; node > 0; node /= 2) sink(times_[node]);
    }

    std::vector<Range> ranges_;
    std::vector<uint64_t> borders_;             // each slot reaches from one to the next
    std::vector<std::vector<uint64_t>> times_;  // by node of a tree over the slots; ascending
};

}  // namespace cowscope::attribute
