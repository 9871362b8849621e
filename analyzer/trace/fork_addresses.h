// The addresses at which pages lay when they were shared by a fork, before mremap moved them. Only
// that address means the same page in every process of a family.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "trace/page_set.h"

namespace cowscope::trace {

class ForkAddresses {
  public:
    // The pages of a run now stand at `to`. Returns how many pieces they were in, which is what
    // the work grows with.
    size_t move(const PageRun& from, uint64_t to);
    // What lies in a run from now on has not been moved.
    void forget(const PageRun& run);
    void clear() { moved_.clear(); }

    // Where the byte that is at `address` now was at the fork.
    uint64_t at_fork(uint64_t address) const;
    // Whether the page that was there at the fork lies elsewhere now. The yardstick of the tests
    // asks it (tests/e2e/account_truth.h).
    bool has_left(uint64_t address) const;
    PageSet pages_at_fork(const PageSet& pages) const;

  private:
    struct Piece {
        uint64_t bytes;
        uint64_t at_fork;
    };

    // Calls sink(start, bytes, at_fork) for the pieces of a run, in ascending order.
    template <typename Sink>
    void for_each_piece(const PageRun& run, Sink&& sink) const;

    std::map<uint64_t, Piece> moved_;  // by present start; disjoint
};

}  // namespace cowscope::trace
