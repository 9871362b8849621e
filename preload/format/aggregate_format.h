// What a bounded recording (COWSCOPE_MAX_TRACE) holds besides its segments: part of the contract
// between the shim and the analyzer, like trace_format.h.
//
//     bound                      how much of the bound is taken, and what came after it for which
//                                there is no table
//     later-PID-START.cowlater   of a program that forks, named as its segment: what its processes
//                                copied after the bound was reached, summed up for each place
//
// What a slot names of a runtime's code objects stands in the same file, so that functions that
// nobody ran before the bound have names too.
//
// Both files have all their bytes from the start (a hole of a full disk would be a SIGBUS), mode
// 0600, and are written through shared mappings by several processes at a time: the numbers of
// AggregateCounts are only added to, atomically, so that they are right whoever is killed when.
// Readers trust nothing. Integers are little-endian, times CLOCK_MONOTONIC nanoseconds.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trace_format.h"

namespace cowscope::trace {

inline constexpr char kBoundFile[] = "bound";
inline constexpr char kBoundMagic[8] = {'C', 'O', 'W', 'B', 'O', 'U', 'N', 'D'};
inline constexpr char kAggregateMagic[8] = {'C', 'O', 'W', 'L', 'A', 'T', 'E', 'R'};
inline constexpr char kAggregatePrefix[] = "later-";
inline constexpr char kAggregateSuffix[] = ".cowlater";
// A change of any layout here raises it.
inline constexpr uint32_t kBoundVersion = 3;

// Below it there is no room for a program, its children and what the recorder adds.
inline constexpr uint64_t kLeastMaxTrace = uint64_t{1} << 20;
// The recorder's own files get this part of the bound, and the shim's the rest.
inline constexpr uint64_t kRecorderPart = 8;
// Of the shim's part this one is kept for what processes say last (a census, their end).
inline constexpr uint64_t kClosingPart = 8;

struct AggregateCounts {
    uint64_t processes;              // that went on after the bound, or began
    uint64_t unwitnessed_processes;  // of these, those that no witness watched
    uint64_t copies;                 // pages, those below that say so among them
    uint64_t witnessed;        // faults of which these were told; fewer where some were sampled
    uint64_t unplaced_copies;  // whose place found no slot, or has lost it
    uint64_t kernel_copies;    // by the kernel, into a buffer of the program's
    uint64_t late_copies;      // whose signal came too late to tell the place
};
static_assert(sizeof(AggregateCounts) == 56);

struct BoundFile {
    char magic[8];
    uint32_t version;
    uint32_t padding;
    uint64_t limit_bytes;  // of the whole recording, as it was asked for
    uint64_t used_bytes;   // of the shim's part
    uint64_t reached_ns;   // 0: not yet
    uint64_t programs_not_recorded;
    AggregateCounts counts;  // of processes that have no table
    uint8_t zeros[4 * 1024 - 104];
};
static_assert(sizeof(BoundFile) == 4 * 1024);

// AggregateHeader, then slot_count AggregateSlots, code_count AggregateCodes, and text_bytes of
// what these name.
struct AggregateHeader {
    char magic[8];
    uint32_t version;
    uint32_t slot_count;
    uint64_t created_ns;  // as in the segment of the same name
    uint32_t pid;
    uint32_t slot_bytes;
    AggregateCounts counts;
    uint32_t code_count;  // 0: of a program without a runtime when it forked first
    uint32_t text_bytes;
    uint32_t runtime_version;  // as RuntimeRecord::version
    uint32_t padding;
    uint64_t texts_used;   // bytes; more than there are where several asked for the last ones
    uint64_t reserved[2];  // zero
};
static_assert(sizeof(AggregateHeader) == 128);

inline constexpr size_t kAggregateDepth = 32;
inline constexpr size_t kAggregateFrameDepth = 8;

struct AggregateFrame {
    uint64_t code;               // address of the code object
    int32_t instruction_offset;  // as in RuntimeFrame
    uint32_t code_number;        // of its AggregateCode, from 1 on; 0: it has none
};
static_assert(sizeof(AggregateFrame) == 16);

// Of AggregateSlot::is_whole and AggregateCode::is_whole. With any other, who claimed it was killed
// meanwhile.
inline constexpr uint32_t kWhole = 1;
// Somebody adds the numbers of code objects: until then nobody takes the slot over.
inline constexpr uint32_t kBeingNamed = 2;

struct AggregateSlot {
    // Of the innermost frames. 0: free; 1: its place was about to lose it. It is set first, then
    // counted, then described.
    uint64_t key;
    uint64_t copies;         // pages, since this place has the slot
    uint64_t copies_before;  // about as many were others', or came too early: only a rank
    uint32_t is_whole;       // kWhole or kBeingNamed: what follows is there
    uint32_t pid;            // who wrote first
    uint32_t tid;
    uint8_t depth;
    uint8_t runtime_depth;
    uint8_t padding[2];
    uint8_t code[kCodeBytes];       // as in SiteRecord
    uint64_t ips[kAggregateDepth];  // as in StackRecord
    AggregateFrame runtime_frames[kAggregateFrameDepth];
};
static_assert(sizeof(AggregateSlot) == 440);

// A code object that slots name: written down once for all processes of the program.
struct AggregateCode {
    uint64_t key;     // of what its record says; 0: free
    uint32_t offset;  // of its record in the texts, a multiple of kAggregateCodeAlignment
    uint32_t is_whole;
};
static_assert(sizeof(AggregateCode) == 16);
// The record is a RuntimeCodeRecord (runtime_format.h), as in a segment, with id 0.
inline constexpr uint64_t kAggregateCodeAlignment = 8;

}  // namespace cowscope::trace
