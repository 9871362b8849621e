// What a process does once its recording has reached its bound (COWSCOPE_MAX_TRACE): it closes its
// segment and goes on counting its copies, summed up for each place, in a table that all processes
// of its program share (aggregate_format.h). The witness still tells of each first write, and the
// page itself says whether it was a copy, as before the inherited pages are listed
// (epoch/begin.cpp).
//
// Async-signal-safe; callers hold the process's lock.
#pragma once

#include "runtime/active.h"

namespace cowscope::epoch {

// Before the first fork of a program, where there is a bound: makes the table, which forked
// children inherit. Without room for one only sums are kept.
void prepare_counting();

// This process stops recording, in the midst of whatever it was doing.
void go_on_counting();
// A forked child that has no segment. False where that is not because of the bound.
bool begin_counting();
// A program that was started behind the bound is not recorded.
void count_program();
// Nothing tells this process of its copies.
void count_unwitnessed_process();

// Whether anybody of this program's family still shares memory with this process. Where nobody
// does, what it writes copies nothing, and the witness stops until the next fork.
bool still_shares();

// A place that copies, innermost frame first.
struct CountedSite {
    const uint64_t* ips;
    uint32_t depth;  // at most trace::kAggregateDepth
    const runtime::CountedFrame* runtime_frames;
    uint32_t runtime_depth;      // at most trace::kAggregateFrameDepth
    runtime::Observer* runtime;  // of the runtime's frames
    uint32_t tid;
};
// A fault that copied a page stands for `copies` in all. Reads the code at the place, the machine's
// and the runtime's.
void count_copies(const CountedSite& place, uint64_t copies);
void count_late_copies(uint64_t copies);
void count_kernel_copy();

}  // namespace cowscope::epoch
