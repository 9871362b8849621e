#include "trace/page_set.h"

#include <algorithm>
#include <iterator>

namespace cowscope::trace {
namespace {

// The end of the lower half of the widest x86-64 address space (five-level page tables).
constexpr uint64_t kAddressSpaceEnd = uint64_t{1} << 56;

uint64_t end_of(const PageRun& run) {
    return run.start + run.pages * kPageBytes;
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
               std::back_inserter(both),
               [](const PageRun& a, const PageRun& b) { return a.start < b.start; });
    clear();
    for (PageRun run : both) {
        if (!runs_.empty() && run.start < end_of(runs_.back())) {
            const uint64_t covered = end_of(runs_.back());
            if (end_of(run) <= covered) continue;
            run = {covered, (end_of(run) - covered) / kPageBytes};
        }
        append(run);
    }
}

void PageSet::clear() {
    runs_.clear();
    pages_ = 0;
}

}  // namespace cowscope::trace
