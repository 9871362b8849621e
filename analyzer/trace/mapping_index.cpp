#include "trace/mapping_index.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>

namespace cowscope::trace {

MappingIndex::MappingIndex(const std::vector<std::shared_ptr<const Mappings>>& lists) {
    // What no list so far has mapped: start and end. Each mapping takes from it, so that none is
    // gone through twice.
    std::map<uint64_t, uint64_t> gaps = {{0, std::numeric_limits<uint64_t>::max()}};
    for (size_t list = 0; list < lists.size(); ++list) {
        for (const Mapping& mapping : lists[list]->all()) {
            auto gap = gaps.upper_bound(mapping.start);
            if (gap != gaps.begin()) --gap;
            while (gap != gaps.end() && gap->first < mapping.end) {
                const auto [gap_start, gap_end] = *gap;
                const uint64_t start = std::max(gap_start, mapping.start);
                const uint64_t end = std::min(gap_end, mapping.end);
                if (start >= end) {
                    ++gap;
                    continue;
                }
                spans_.push_back({start, end, {&mapping, list}});
                gap = gaps.erase(gap);
                if (gap_start < start) gaps[gap_start] = start;
                if (end < gap_end) gap = std::next(gaps.emplace(end, gap_end).first);
            }
        }
    }
    std::sort(spans_.begin(), spans_.end(),
              [](const Span& a, const Span& b) { return a.start < b.start; });
}

MappingIndex::Found MappingIndex::find(uint64_t address) const {
    const auto above =
        std::upper_bound(spans_.begin(), spans_.end(), address,
                         [](uint64_t value, const Span& span) { return value < span.start; });
    if (above == spans_.begin() || address >= std::prev(above)->end) return {};
    return std::prev(above)->found;
}

}  // namespace cowscope::trace
