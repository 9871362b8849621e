#include "trace/page_set.h"

#include <algorithm>
#include <iterator>

#include "arch/processor.h"

namespace cowscope::trace {
namespace {

using arch::kAddressSpaceEnd;

uint64_t end_of(const PageRun& run) {
    return run.start + run.pages * kPageBytes;
}

bool starts_before(const PageRun& a, const PageRun& b) {
    return a.start < b.start;
}

}  // namespace

bool PageSet::append(const PageRun& run) {
    if (run.start % kPageBytes != 0 || run.pages == 0 || run.start >= kAddressSpaceEnd ||
        run.pages > (kAddressSpaceEnd - run.start) / kPageBytes) {
        return false;
    }
    if (!runs_.empty() && run.start < end_of(runs_.back())) return false;
    pages_ += run.pages;
    if (!runs_.empty() && run.start == end_of(runs_.back())) {
        runs_.back().pages += run.pages;
    } else {
        runs_.push_back(run);
    }
    return true;
}

bool PageSet::contains(uint64_t address) const {
    const auto above =
        std::upper_bound(runs_.begin(), runs_.end(), address,
                         [](uint64_t value, const PageRun& run) { return value < run.start; });
    return above != runs_.begin() && address < end_of(*std::prev(above));
}

void PageSet::merge(const PageSet& other) {
    if (other.runs_.empty()) return;
    std::vector<PageRun> both;
    both.reserve(runs_.size() + other.runs_.size());
    std::merge(runs_.begin(), runs_.end(), other.runs_.begin(), other.runs_.end(),
               std::back_inserter(both), starts_before);
    clear();
    for (const PageRun& run : both) append_rest(run);
}

void PageSet::append_rest(PageRun run) {
    if (!runs_.empty() && run.start < end_of(runs_.back())) {
        const uint64_t covered = end_of(runs_.back());
        if (end_of(run) <= covered) return;
        run = {covered, (end_of(run) - covered) / kPageBytes};
    }
    append(run);
}

PageSet union_of(std::vector<PageRun> runs) {
    std::erase_if(runs, [](const PageRun& run) { return !PageSet().append(run); });
    std::sort(runs.begin(), runs.end(), starts_before);
    PageSet set;
    for (const PageRun& run : runs) set.append_rest(run);
    return set;
}

PageSet without(const PageSet& pages, const PageSet& taken) {
    if (taken.runs().empty()) return pages;
    PageSet left;
    auto hole = taken.runs().begin();
    for (const trace::PageRun& run : pages.runs()) {
        uint64_t start = run.start;
        const uint64_t end = end_of(run);
        while (hole != taken.runs().end() && end_of(*hole) <= start) ++hole;
        // The last hole in this run may reach into the next one: `hole` stays.
        for (auto each = hole; each != taken.runs().end() && each->start < end; ++each) {
            if (each->start > start) left.append({start, (each->start - start) / kPageBytes});
            start = std::min(end, end_of(*each));
        }
        if (start < end) left.append({start, (end - start) / kPageBytes});
    }
    return left;
}

void PageSet::clear() {
    runs_.clear();
    pages_ = 0;
}

}  // namespace cowscope::trace
