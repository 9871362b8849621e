// What a process could not do, for the report's notes. Rules: trace_format.h.
#pragma once

#include "segment.h"

namespace cowscope::trace {

// clang-format off

// The numbers stand in files.
enum class NoteCode : uint32_t {
    tracker_unavailable    = 1,   // value: errno
    witness_unavailable    = 2,   // value: errno
    mapping_not_tracked    = 3,   // value: errno; address: start of the mapping
    census_failed          = 4,   // value: errno
    memory_reads_as_new    = 5,   // inherited memory was merged with new memory, or new memory came
                                  // to its place, and the census cannot tell its copies
    zero_pages_unknown     = 6,   // the tracker takes pages of zeros that were only read for
                                  // inherited ones
    // The runtime's stacks and objects are not looked at, value: its version >> 16, because
    runtime_version_unknown = 7,   // the layout of that version is not known
    runtime_free_threaded   = 8,   // it is a build without the GIL
    runtime_layout_differs  = 9,   // its memory does not look like that version's (a debug build?)
    sandboxed              = 10,  // a seccomp filter would have killed the program for a call of
                                  // the shim's, so that left
    threads_not_watched    = 27,  // by the witness; value: how many
    not_dumpable           = 35,  // no tracker, because the program had given up the rights that it
                                  // takes before it forked (a change of user or group,
                                  // capabilities, PR_SET_DUMPABLE). value: errno
};

struct NoteRecord {
    RecordHeader header;  //  0
    uint64_t time_ns;     //  8
    NoteCode code;        // 16
    int32_t  value;       // 20
    uint64_t address;     // 24
};
static_assert(sizeof(NoteRecord) == 32);
static_assert(offsetof(NoteRecord, time_ns) == 8);
static_assert(offsetof(NoteRecord, code) == 16);
static_assert(offsetof(NoteRecord, value) == 20);
static_assert(offsetof(NoteRecord, address) == 24);

// clang-format on

}  // namespace cowscope::trace
