// A set of pages of one address space, as ascending disjoint runs.
#pragma once

#include <cstdint>
#include <vector>

#include "preload/trace_format.h"

namespace cowscope::trace {

inline constexpr uint64_t kPageBytes = 4096;

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
    std::vector<PageRun> runs_;
    uint64_t pages_ = 0;
};

}  // namespace cowscope::trace
