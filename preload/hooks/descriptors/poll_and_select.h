// Calls that wait for several descriptors: to them the shim's are not open.
#pragma once

#include <poll.h>
#include <sys/select.h>

#include "hooks/descriptors/own_descriptors.h"
#include "support/guarded_read.h"

namespace cowscope::hooks {

// Whether all of what a host has handed over can be read: the kernel says what is wrong with it.
bool is_readable(const void* start, size_t bytes);

// Some of the shim's own in a host's array, with the highest number in their place. The kernel
// says POLLNVAL of that, and returns at once.
class HiddenFromPoll {
  public:
    // From `*next` on, which it moves behind the last that it has looked at.
    HiddenFromPoll(struct pollfd* all, nfds_t count, nfds_t* next);
    ~HiddenFromPoll();
    HiddenFromPoll(const HiddenFromPoll&) = delete;
    HiddenFromPoll& operator=(const HiddenFromPoll&) = delete;

  private:
    static constexpr size_t kMost = 32;
    struct Hidden {
        nfds_t at;
        int fd;
    };

    struct pollfd* const all_;
    size_t count_ = 0;
    Hidden hidden_[kMost];
};

// call() with all of them hidden.
template <typename Call>
auto poll_without_own_from(nfds_t next, struct pollfd* all, nfds_t count, const Call& call)
    -> decltype(call()) {
    const HiddenFromPoll hidden(all, count, &next);
    if (next == count) return call();
    return poll_without_own_from(next, all, count, call);
}
template <typename Call>
auto poll_without_own(struct pollfd* all, nfds_t count, const Call& call) -> decltype(call()) {
    if (!has_own_descriptors() || count > INT_MAX || !is_readable(all, count * sizeof(*all))) {
        return call();
    }
    return poll_without_own_from(0, all, count, call);
}

// Whether one of the shim's is in a set for select().
bool has_own_in(int count, const void* set);
bool has_own_in(int count, const void* readable, const void* writable, const void* exceptional);

}  // namespace cowscope::hooks
