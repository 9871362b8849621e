// Lists that take several records. A list whose later parts found no room is followed by the next
// one, whose first part is like any other but for its time: all parts of a list have one.
#pragma once

#include <cstdint>

#include "preload/format/trace_format.h"

namespace cowscope::trace {

struct ListPart {
    bool is_first;
    bool is_last;
    bool is_other_torn;  // the list before it has no end
};

class ListParts {
  public:
    // Shown every part of a kind of list.
    ListPart take(uint16_t flags, uint64_t time_ns) {
        const bool is_another = !goes_on_ || time_ns != time_ns_;
        const ListPart part = {is_another, (flags & kMoreParts) == 0, is_another && goes_on_};
        goes_on_ = !part.is_last;
        time_ns_ = time_ns;
        return part;
    }
    // The last part has not come yet.
    bool goes_on() const { return goes_on_; }

  private:
    bool goes_on_ = false;
    uint64_t time_ns_ = 0;
};

}  // namespace cowscope::trace
