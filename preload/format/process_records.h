// Who a process is, its memory as a whole, its forks and its end, and what of it was lost. Rules:
// trace_format.h.
#pragma once

#include "segment.h"

namespace cowscope::trace {

// clang-format off

enum class Role : uint8_t {
    image = 1,  // started by exec: the shim was loaded by the dynamic linker
    fork  = 2,  // started by fork, _Fork or clone
};

// Content: command_bytes of NUL-separated arguments, then executable_bytes of path.
struct ProcessRecord {
    RecordHeader header;         //  0
    uint64_t start_ns;           //  8  of a forked child: some moments after the fork
    uint64_t fork_ns;            // 16  of a forked child: before the fork, as its parent noted it;
                                 //     else 0
    uint64_t parent_created_ns;  // 24  of a forked child: SegmentHeader::created_ns of the process
                                 //     that called fork, which with its pid says who that was. Whom
                                 //     the kernel gives as the parent may be another one
                                 //     (reparenting, CLONE_PARENT). Else 0
    uint32_t pid;                // 32
    uint32_t parent_pid;         // 36  of a forked child: who called fork, as it sees itself
    Role     role;               // 40
    uint8_t  padding[3];         // 41
    uint32_t sample;             // 44  one fault in `sample` is witnessed; 0: auto, all at first
    uint32_t command_bytes;      // 48
    uint32_t executable_bytes;   // 52
};
static_assert(sizeof(ProcessRecord) == 56);
static_assert(offsetof(ProcessRecord, start_ns) == 8);
static_assert(offsetof(ProcessRecord, fork_ns) == 16);
static_assert(offsetof(ProcessRecord, parent_created_ns) == 24);
static_assert(offsetof(ProcessRecord, pid) == 32);
static_assert(offsetof(ProcessRecord, parent_pid) == 36);
static_assert(offsetof(ProcessRecord, role) == 40);
static_assert(offsetof(ProcessRecord, sample) == 44);
static_assert(offsetof(ProcessRecord, command_bytes) == 48);
static_assert(offsetof(ProcessRecord, executable_bytes) == 52);

// Written once and updated in place, so that it survives SIGKILL.
struct LossRecord {
    RecordHeader header;        //  0
    uint64_t blocked_events;    //  8  first writes whose signal came late (SIGTRAP blocked): not
                                //     attributed. Like fresh_faults, each by its weight
    uint64_t unwritten_events;  // 16  for which the segment had no room (disk full, file limit)
    uint64_t unwritten_bytes;   // 24  of other records that found no room
    uint64_t fresh_faults;      // 32  seen on pages that were not inherited (no loss; for tests)
};
static_assert(sizeof(LossRecord) == 40);
static_assert(offsetof(LossRecord, blocked_events) == 8);
static_assert(offsetof(LossRecord, unwritten_events) == 16);
static_assert(offsetof(LossRecord, unwritten_bytes) == 24);
static_assert(offsetof(LossRecord, fresh_faults) == 32);

// Content: text_bytes of /proc/self/maps (lines may be split between parts). There is no further
// one where nothing has changed but the ends of heap and stack; nor in a forked child where nothing
// has changed since its parent's.
struct MappingsRecord {
    RecordHeader header;  //  0  flags: kMoreParts
    uint64_t time_ns;     //  8
    uint32_t text_bytes;  // 16
    uint32_t padding;     // 20
};
static_assert(sizeof(MappingsRecord) == 24);
static_assert(offsetof(MappingsRecord, time_ns) == 8);
static_assert(offsetof(MappingsRecord, text_bytes) == 16);

enum class MemoryMoment : uint8_t { fork = 1, end = 2 };

// From /proc/self/smaps_rollup.
struct MemoryRecord {
    RecordHeader header;        //  0  flags: kNotMeasured, kCountedPages
    uint64_t time_ns;           //  8
    MemoryMoment moment;        // 16
    uint8_t  padding[3];        // 17
    uint32_t shared_memory_kb;  // 20  Pss_Shmem: memory that is mapped shared. It is in
                                //     private_dirty_kb where one process alone has touched it
    uint64_t rss_kb;            // 24
    uint64_t pss_kb;            // 32
    uint64_t private_dirty_kb;  // 40
    uint64_t swap_kb;           // 48
};
static_assert(sizeof(MemoryRecord) == 56);
static_assert(offsetof(MemoryRecord, time_ns) == 8);
static_assert(offsetof(MemoryRecord, moment) == 16);
static_assert(offsetof(MemoryRecord, shared_memory_kb) == 20);
static_assert(offsetof(MemoryRecord, rss_kb) == 24);
static_assert(offsetof(MemoryRecord, pss_kb) == 32);
static_assert(offsetof(MemoryRecord, private_dirty_kb) == 40);
static_assert(offsetof(MemoryRecord, swap_kb) == 48);
// All sizes are zero: at a fork, when every page is shared.
inline constexpr uint16_t kNotMeasured  = 1 << 0;
// Only private_dirty_kb is known, from /proc/self/pagemap: at the end of a large process that has
// written little.
inline constexpr uint16_t kCountedPages = 1 << 1;

// This process forked, or tried to; the child's own segment names it as its parent.
struct ForkRecord {
    RecordHeader header;  //  0
    uint64_t time_ns;     //  8  before the fork: nothing is shared by it yet
    uint32_t ordinal;     // 16  counts from 1
    uint32_t padding;     // 20
};
static_assert(sizeof(ForkRecord) == 24);
static_assert(offsetof(ForkRecord, time_ns) == 8);
static_assert(offsetof(ForkRecord, ordinal) == 16);

enum class EndKind : uint8_t {
    exit   = 1,
    signal = 2,
    exec   = 3,
    bound  = 4,  // not of the process, which goes on, but of its recording: the size limit was
                 // reached (aggregate_format.h)
};

struct EndRecord {
    RecordHeader header;  //  0
    uint64_t time_ns;     //  8
    EndKind  kind;        // 16
    uint8_t  padding[3];  // 17
    int32_t  value;       // 20  exit status, signal number, or 0
};
static_assert(sizeof(EndRecord) == 24);
static_assert(offsetof(EndRecord, time_ns) == 8);
static_assert(offsetof(EndRecord, kind) == 16);
static_assert(offsetof(EndRecord, value) == 20);

// clang-format on

}  // namespace cowscope::trace
