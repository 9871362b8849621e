// An epoch is what a process does from one of its forks to the next (a "epoch" in the names of
// records, which readers know). Its records, in the order in which they come:
//
//     EpochRecord   a fork has made the process share its pages
//     InheritedRecord    which pages these are, once they were listed
//     ProtectRecord      from now on a census tells which of them were written
//     DiscardedRecord      some are unmapped or discarded      } any number of times,
//     MovedRecord        some stand at another address now   } also before the list
//     CensusRecord       which were copied
//     AccountRecord      what the process has to itself besides
//
// Rules: trace_format.h.
#pragma once

#include "segment.h"

namespace cowscope::trace {

// clang-format off

// A new one takes the next number: they stand in files.
enum class Tracker : uint8_t { off = 0, userfaultfd = 1, soft_dirty = 2 };
enum class Witness : uint8_t { off = 0, trap = 1 };

struct PageRun {
    uint64_t start;  // 0  address of the first page
    uint64_t pages;  // 8
};
static_assert(sizeof(PageRun) == 16);
static_assert(offsetof(PageRun, pages) == 8);

// A fork has made this process share its pages: a new epoch begins. As long as no InheritedRecord
// of it follows, only the witness looks (kBeforeList).
struct EpochRecord {
    RecordHeader header;  //  0
    uint64_t time_ns;     //  8
    uint32_t epoch;  // 16  0 in a forked child; the n-th fork of a process starts number n
    Witness  witness;     // 20
    uint8_t  padding[3];  // 21
};
static_assert(sizeof(EpochRecord) == 24);
static_assert(offsetof(EpochRecord, time_ns) == 8);
static_assert(offsetof(EpochRecord, epoch) == 16);
static_assert(offsetof(EpochRecord, witness) == 20);

// What the tracker and the witness do from now on in this epoch, and the pages that count as
// inherited. Begins the epoch where no EpochRecord did.
// Content: run_count PageRuns in ascending order.
struct InheritedRecord {
    RecordHeader header;  //  0  flags: kMoreParts, kInheritedMore
    uint64_t time_ns;     //  8
    uint32_t epoch;  // 16
    Tracker  tracker;     // 20
    Witness  witness;     // 21
    uint8_t  padding[2];  // 22
    uint32_t run_count;   // 24
    uint32_t padding2;    // 28
};
static_assert(sizeof(InheritedRecord) == 32);
static_assert(offsetof(InheritedRecord, time_ns) == 8);
static_assert(offsetof(InheritedRecord, epoch) == 16);
static_assert(offsetof(InheritedRecord, tracker) == 20);
static_assert(offsetof(InheritedRecord, witness) == 21);
static_assert(offsetof(InheritedRecord, run_count) == 24);
// The process had more pages at the fork than it has now that they are listed: it has unmapped or
// discarded some meanwhile.
inline constexpr uint16_t kInheritedMore = 1 << 1;

// The pages of `epoch` are protected: from now on a census, also one that is taken from
// outside (analyzer/observe/outside_scan.h), tells which were written. May stand before the epoch's
// InheritedRecord.
struct ProtectRecord {
    RecordHeader header;  //  0
    uint64_t time_ns;     //  8
    uint32_t epoch;  // 16
    uint32_t padding;     // 20
    PageRun  own[2];      // 24  the shim's arena and its image, which no census counts
};
static_assert(sizeof(ProtectRecord) == 56);
static_assert(offsetof(ProtectRecord, time_ns) == 8);
static_assert(offsetof(ProtectRecord, epoch) == 16);
static_assert(offsetof(ProtectRecord, own) == 24);

// The process is about to unmap, move or discard a range that holds pages of the newest
// InheritedRecord, or may hold some that are not listed yet: what comes there later is no copy.
struct DiscardedRecord {
    RecordHeader header;  //  0  flags: kIsKept
    PageRun  range;       //  8
    uint64_t time_ns;     // 24
};
static_assert(sizeof(DiscardedRecord) == 32);
static_assert(offsetof(DiscardedRecord, range) == 8);
static_assert(offsetof(DiscardedRecord, time_ns) == 24);
// The memory stays as it is, and shared as it is, but no tracker looks at it any more.
inline constexpr uint16_t kIsKept = 1 << 0;

// mremap has moved pages: those of them that are inherited, copied or not, now stand at `to`.
// Censuses and events that follow name them there.
struct MovedRecord {
    RecordHeader header;  //  0
    PageRun  from;        //  8
    uint64_t to;          // 24
};
static_assert(sizeof(MovedRecord) == 32);
static_assert(offsetof(MovedRecord, from) == 8);
static_assert(offsetof(MovedRecord, to) == 24);

enum class CensusKind : uint8_t {
    final      = 1,   // taken by the process at its end
    epoch = 2,   // taken by the process before its next fork; closes an epoch
    outside    = 3,   // taken by the recorder while the process ran
    discarded   = 4,   // of a range that the process was about to unmap, move or discard
    kernel     = 5,   // of a buffer that the kernel has written for the process
    fresh      = 6,   // no copies: pages that kBeforeList events took for some, and that were fresh
    inherited  = 7,   // no copies: pages that are inherited besides those that were listed
    alone      = 8,   // taken by the process when nobody shared its pages any more: nothing that it
                      // writes from then on, in this epoch, is a copy, and nobody looks
    earlier    = 9,   // by a forked child before the shim's first call in it: by libc's fork()
                      // itself and by other libraries' pthread_atfork handlers. Nothing saw who
                      // wrote
    unseen     = 10,  // pages that no instruction was seen to write, which nobody shares any more
                      // though they were shared at the fork: the kernel has copied those of them
                      // that the others had not copied before
};

// Content: run_count PageRuns of copied pages in ascending order.
struct CensusRecord {
    RecordHeader header;   //  0  flags: kMoreParts, kNotProtected
    uint64_t time_ns;      //  8
    uint64_t fresh_pages;  // 16  the same in every part
    uint32_t epoch;   // 24
    CensusKind kind;       // 28
    uint8_t  padding[3];   // 29
    uint32_t run_count;    // 32
    uint32_t padding2;     // 36
};
static_assert(sizeof(CensusRecord) == 40);
static_assert(offsetof(CensusRecord, time_ns) == 8);
static_assert(offsetof(CensusRecord, fresh_pages) == 16);
static_assert(offsetof(CensusRecord, epoch) == 24);
static_assert(offsetof(CensusRecord, kind) == 28);
static_assert(offsetof(CensusRecord, run_count) == 32);
// The pages were never protected, because the witness saw too few writes for that to be worth
// while: then the witness's events are the census.
inline constexpr uint16_t kNotProtected = 1 << 1;

// What a process has to itself beside the pages that it wrote: when nobody shared its pages any
// more, and at its end. With the copied ones this is its private memory.
struct AccountRecord {
    RecordHeader header;        //  0
    uint64_t time_ns;           //  8
    uint64_t fresh_pages;       // 16
    uint64_t held_alone_pages;  // 24  inherited and not written, but mapped by nobody else any
                                //     more: the others ended, or gave them up, or have copies
    uint32_t epoch;        // 32
    uint32_t padding;           // 36
};
static_assert(sizeof(AccountRecord) == 40);
static_assert(offsetof(AccountRecord, time_ns) == 8);
static_assert(offsetof(AccountRecord, fresh_pages) == 16);
static_assert(offsetof(AccountRecord, held_alone_pages) == 24);
static_assert(offsetof(AccountRecord, epoch) == 32);

// clang-format on

}  // namespace cowscope::trace
