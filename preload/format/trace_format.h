// The trace: what the shim writes and the analyzer reads. The headers of this folder are the
// contract between the two, and all that the analyzer may include from preload/:
//
//     segment.h           the file of a process: its header, and how records stand in it
//     process_records.h   who a process is, its memory, its forks, its end, what was lost
//     epoch_records.h     from one fork to the next: pages that are shared, given up, copied
//     event_records.h     sites, stacks, events
//     notes.h             what a process could not do
//     runtime_format.h     records of a CPython interpreter
//     aggregate_format.h  the files of a recording with a size limit
//     machine.h           what of all this depends on the processor
//     kernel_abi.h        the kernel's own definitions, which both sides use
//
// A trace is a folder (mode 0700). Every process writes one segment file of its own (mode 0600):
//
//     process-PID-START.cowseg      START: CLOCK_MONOTONIC ns; tells two images of one pid apart
//
// Where root records, processes that are another user by the time that they begin have theirs in a
// folder inside (kOthersFolder), which strangers do not reach, because the trace's is closed to
// them, and where everybody else may create files (mode 01733). Names are those of the trace's own.
//
// Rules for all records. Integers are little-endian; times are CLOCK_MONOTONIC nanoseconds;
// addresses are virtual addresses of the process that the segment belongs to; padding and what is
// reserved is zero. The number beside a field is its offset in bytes. A change of any layout raises
// kVersion (segment.h); the static_asserts hold the layouts.
#pragma once

#include "epoch_records.h"
#include "event_records.h"
#include "machine.h"
#include "notes.h"
#include "process_records.h"
#include "segment.h"

namespace cowscope::trace {

inline constexpr char kSegmentSuffix[] = ".cowseg";
inline constexpr char kOthersFolder[] = "others";

}  // namespace cowscope::trace
