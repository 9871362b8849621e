// Who shared pages with whom, and how long.
#pragma once

#include <cstdint>
#include <vector>

#include "trace/trace.h"

namespace cowscope::attribute {

class Lifetimes {
  public:
    explicit Lifetimes(const trace::Trace& trace);

    // Whether pages of trace.processes[process] may at that time have been shared with another
    // process: with its parent or with a child of that generation or an earlier one, or theirs.
    // A parent is taken to live on; of a process whose end nobody saw, the same.
    bool is_shared(size_t process, size_t generation, uint64_t time_ns) const;

  private:
    struct Child {
        size_t process;
        uint64_t start_ns;
    };

    const trace::Trace& trace_;
    std::vector<std::vector<Child>> children_;  // forked ones, by start
    std::vector<uint64_t> shares_until_ns_;     // own end, or the last of its descendants'
};

}  // namespace cowscope::attribute
