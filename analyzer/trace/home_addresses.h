// Where pages that mremap has moved were when they were inherited. Only there a page means the same
// in every process of a family.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "trace/page_set.h"

namespace cowscope::trace {

class HomeAddresses {
  public:
    // The pages of a run now stand at `to`. Returns how many pieces they were in, which is what
    // the work grows with.
    size_t move(const PageRun& from, uint64_t to);
    // What stands in a run from now on is at home there.
    void forget(const PageRun& run);
    void clear() { moved_.clear(); }

    uint64_t home_of(uint64_t address) const;
    PageSet homes_of(const PageSet& pages) const;

  private:
    struct Piece {
        uint64_t bytes;
        uint64_t home;
    };

    // Calls sink(start, bytes, home) for the pieces of a run, in ascending order.
    template <typename Sink>
    void for_each_piece(const PageRun& run, Sink&& sink) const;

    std::map<uint64_t, Piece> moved_;  // by present start; disjoint
};

}  // namespace cowscope::trace
