// Copies without an event: what may be said of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attribute/cause.h"
#include "attribute/copies.h"
#include "trace/process_trace.h"

namespace cowscope::attribute {

struct Unwitnessed {
    Cause cause = Cause::unknown;
    std::string evidence;
    uint64_t pages = 0;
    bool was_watched = false;  // a witness was there
};

// How many of its copies may be without an event because that was lost, or nobody watched.
uint64_t events_not_told(const trace::ProcessTrace& process);

// They sum up to the process's copies without an event. Of the watched ones some events may have
// been lost and the other pages written by the kernel; which is which nothing tells.
std::vector<Unwitnessed> unwitnessed_of(const trace::ProcessTrace& process, const Copies& copies);

}  // namespace cowscope::attribute
