// The bound of a recording's size (COWSCOPE_MAX_TRACE): one file in the trace's folder, mapped by
// every process of it, in which they all count the bytes that they take.
//
// Thread and signal safety: every function but open() is async-signal-safe and may be called by
// several threads and processes at once. What the file holds is not trusted: whoever damages it has
// less recorded, or more than the bound.
#pragma once

#include "format/aggregate_format.h"
#include "support/syscall.h"

namespace cowscope::session {

// Growth in the midst of a recording leaves room for what stands at its ends.
enum class Share : uint8_t { ordinary, closing };

class Budget {
  public:
    // `folder` is open. The first program makes the file, others use it. `shim_bytes` of the
    // bound's `limit_bytes` are the shim's. Returns 0 or -errno.
    int open(int folder, uint64_t limit_bytes, uint64_t shim_bytes);

    // False: nothing is bounded.
    bool is_set() const { return file_ != nullptr; }

    // Whether `bytes` more may be written; then they count as taken. Always without a bound.
    bool take(uint64_t bytes, Share share) {
        return file_ == nullptr || take_of_bound(bytes, share);
    }
    // Bytes that nobody has taken yet. Not without a bound.
    uint64_t left(Share share) const;
    // They were not written, or are there no more.
    void give_back(uint64_t bytes);

    // Somebody who needed room found none: from now on nothing is recorded but ends. Stays so.
    void set_reached();
    bool is_reached() const;

    // Whether the counters can be written to: not where a full disk has no room for the page, which
    // would be a SIGBUS. Where what is written again stays where it is, there always is. Elsewhere
    // the kernel is asked, and what it says holds until it writes the page back, which it does
    // every few seconds: callers write at once.
    bool may_store() const;
    // Whether may_store() is always true, also of other files beside this one.
    bool stores_directly() const { return stores_directly_; }

    void unlock() const {
        if (file_ != nullptr) sys::unlock(file_, sizeof(*file_));
    }

    uint64_t limit_bytes() const { return limit_bytes_; }
    // The counters in the file. Not without a bound.
    trace::BoundFile& file() const { return *file_; }

  private:
    bool take_of_bound(uint64_t bytes, Share share);
    uint64_t most(Share share) const;

    trace::BoundFile* file_ = nullptr;  // forked children inherit the mapping
    uint64_t limit_bytes_ = 0;
    uint64_t shim_bytes_ = 0;
    bool stores_directly_ = false;
};

// Of this program. Written to once, before anything forks.
extern constinit Budget budget;

}  // namespace cowscope::session
