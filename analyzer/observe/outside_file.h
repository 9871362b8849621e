// Writes what trace/outside.h describes. Both functions return 0 or an errno.
#pragma once

#include <string>
#include <vector>

#include "observe/share_of_bound.h"
#include "trace/outside.h"

namespace cowscope::observe {

// What one process's scans counted. Holds trace::kMaxOutsideSamples, evenly spread over the time
// that it was added to, and the last one.
class Samples {
  public:
    void add(const trace::OutsideSample& sample);
    // In the order of time.
    std::vector<trace::OutsideSample> all() const;

  private:
    std::vector<trace::OutsideSample> kept_;  // every stride_-th that was added
    trace::OutsideSample last_{};
    uint64_t added_ = 0;
    uint64_t stride_ = 1;
};

// Replaces the file. `latest` is the last of `samples`, and `copied` the pages that it counted.
// `most`: of the scan where the process had most to itself; without a time there was none.
// `scratch` is kept for its memory.
int write_outside(const std::string& path, uint32_t pid, uint64_t created_ns,
                  const Samples& samples, const trace::OutsideSample& latest,
                  const trace::PageSet& copied, const trace::AccountRecord& most,
                  std::string* scratch, ShareOfBound* share = nullptr);

// Appends to the file, or makes one with nothing else.
int append_fate(const std::string& path, uint32_t pid, uint64_t created_ns,
                const trace::FateRecord& fate, ShareOfBound* share = nullptr);

}  // namespace cowscope::observe
