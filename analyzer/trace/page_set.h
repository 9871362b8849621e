// A set of pages of one address space, as ascending disjoint runs.
#pragma once

#include <cstdint>
#include <vector>

#include "preload/format/trace_format.h"

namespace cowscope::trace {

class PageSet {
  public:
    // Takes any run; false for one that is unaligned, empty, beyond the address space, or not
    // behind those before it.
    bool append(const PageRun& run);
    bool contains(uint64_t address) const;
    // Adds every page of `other`.
    void merge(const PageSet& other);
    uint64_t pages() const { return pages_; }
    const std::vector<PageRun>& runs() const { return runs_; }
    void clear();

  private:
    friend PageSet union_of(std::vector<PageRun> runs);
    // What of a run that starts nowhere before the last one is not there yet.
    void append_rest(PageRun run);

    std::vector<PageRun> runs_;
    uint64_t pages_ = 0;
};

// The pages of runs in any order, which may overlap. Runs that append() would never take are left
// out.
PageSet union_of(std::vector<PageRun> runs);

// `pages` but those of `taken`.
PageSet without(const PageSet& pages, const PageSet& taken);

}  // namespace cowscope::trace
