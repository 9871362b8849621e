// Who wrote: sites, their stacks, and the events there. Stacks, sites and types are written once,
// before the first event that names them; ids of stacks and of sites count from 0 in each segment,
// without gaps. Rules: trace_format.h.
//
//     EventRecord -- site --> SiteRecord -- stack --> StackRecord
//          |------ type, next_word --> TypeRecord
//          '------ runtime_stack -----> RuntimeStackRecord (runtime_format.h)
#pragma once

#include "machine.h"
#include "segment.h"

namespace cowscope::trace {

// Deepest native stack that a StackRecord can hold.
inline constexpr uint32_t kMaxStackDepth = 512;

// clang-format off

// Content: depth addresses, innermost first. The first is the writing instruction, the others are
// return addresses.
struct StackRecord {
    RecordHeader header;  //  0  flags: kStackTruncated
    uint32_t id;          //  8
    uint32_t depth;       // 12
};
static_assert(sizeof(StackRecord) == 16);
static_assert(offsetof(StackRecord, id) == 8);
static_assert(offsetof(StackRecord, depth) == 12);
// Deeper than the limit, or no unwind rule further out.
inline constexpr uint16_t kStackTruncated = 1 << 0;

struct SiteRecord {
    RecordHeader header;           //  0
    uint32_t id;                   //  8
    uint32_t stack;                // 12
    uint64_t instruction_pointer;  // 16
    uint8_t  code[kCodeBytes];     // 24  zero behind the end of the mapping
};
static_assert(sizeof(SiteRecord) == 24 + kCodeBytes);
static_assert(offsetof(SiteRecord, id) == 8);
static_assert(offsetof(SiteRecord, stack) == 12);
static_assert(offsetof(SiteRecord, instruction_pointer) == 16);
static_assert(offsetof(SiteRecord, code) == 24);

// The registers at the first few events of a site; the event follows directly.
struct ExemplarRecord {
    RecordHeader header;                 //  0
    uint32_t site;                       //  8
    uint32_t padding;                    // 12
    uint64_t registers[kRegisterCount];  // 16  in the order of machine.h
};
static_assert(sizeof(ExemplarRecord) == 16 + 8 * kRegisterCount);
static_assert(offsetof(ExemplarRecord, site) == 8);
static_assert(offsetof(ExemplarRecord, registers) == 16);

// A type object of the language runtime's that events name, as `type` or as `next_word`.
// Content: name_bytes of tp_name, with the module in front where the type is a class of the
// program's.
struct TypeRecord {
    RecordHeader header;  //  0
    uint64_t address;     //  8
    uint32_t name_bytes;  // 16
    uint32_t padding;     // 20
};
static_assert(sizeof(TypeRecord) == 24);
static_assert(offsetof(TypeRecord, address) == 8);
static_assert(offsetof(TypeRecord, name_bytes) == 16);

// A page fault of an instruction that wrote to (or read from) an inherited page.
struct EventRecord {
    RecordHeader header;     //  0  flags: those below
    uint64_t time_ns;        //  8
    uint64_t address;        // 16  the exact byte
    uint64_t word;           // 24  8 bytes at `address` before the write
    uint64_t type;           // 32  of the object that `address` belongs to, or 0 where none is
                             //     known
    int32_t  object_offset;  // 40  `address` minus that object's; negative: in the collector's
                             //     header
    uint32_t runtime_stack;   // 44  id, or kNoRuntimeStack
    uint32_t site;           // 48
    uint32_t tid;            // 52
    uint64_t next_word;      // 56  8 bytes at `address` + 8: ob_type, where `address` is an object
                             //     of CPython's. Left out of the file with kNextWordIsType
};
static_assert(sizeof(EventRecord) == 64);
static_assert(offsetof(EventRecord, time_ns) == 8);
static_assert(offsetof(EventRecord, address) == 16);
static_assert(offsetof(EventRecord, word) == 24);
static_assert(offsetof(EventRecord, type) == 32);
static_assert(offsetof(EventRecord, object_offset) == 40);
static_assert(offsetof(EventRecord, runtime_stack) == 44);
static_assert(offsetof(EventRecord, site) == 48);
static_assert(offsetof(EventRecord, tid) == 52);
static_assert(offsetof(EventRecord, next_word) == 56);
inline constexpr size_t   kShortEventBytes = offsetof(EventRecord, next_word);
inline constexpr uint32_t kNoRuntimeStack   = ~uint32_t{0};

// EventRecord::header.flags.
inline constexpr uint16_t kNoWord          = 1 << 0;   // `word` could not be read
inline constexpr uint16_t kNoNextWord     = 1 << 1;   // `next_word` could not be read
inline constexpr uint16_t kZeroPage        = 1 << 2;   // the whole page held zeros: perhaps it is
                                                       // no copy but a new page where an inherited
                                                       // one was given up. A census tells, where it
                                                       // reaches
inline constexpr uint16_t kMovedPage       = 1 << 3;   // the address is not among the inherited
                                                       // ones, but the page came with content: an
                                                       // inherited page that mremap moved here
inline constexpr uint16_t kBeforeList        = 1 << 4;   // the inherited pages were not listed yet.
                                                       // The page is private memory and came with
                                                       // content, so this fault, if a write, copied
                                                       // it
inline constexpr uint16_t kHugePage        = 1 << 5;   // the page is one of 2 MiB (hugetlb), which
                                                       // is copied as a whole
// Where the address lies in memory of CPython's:
inline constexpr uint16_t kPoolHeader      = 1 << 6;   // in the header of a pool of its small-
                                                       // object allocator
inline constexpr uint16_t kPoolBlock       = 1 << 7;   // in a block of a pool. One without a type
                                                       // is free, or holds no object but an
                                                       // object's items
inline constexpr uint16_t kPoolBlockStart  = 1 << 8;   // in the first word of the block; with
                                                       // kPoolBlock
inline constexpr uint16_t kRuntimeFrame     = 1 << 9;   // in a frame of the thread's Python stack,
                                                       // or where it keeps such frames
inline constexpr uint16_t kContainerItems  = 1 << 10;  // in the items, keys or table of a container
                                                       // of `type`
inline constexpr uint16_t kRuntimeFinalizing = 1 << 11; // the interpreter says that it is being
                                                       // taken down (_PyRuntime.finalizing; told
                                                       // from 3.13 on)
inline constexpr uint16_t kNextWordIsType = 1 << 12;  // `next_word` is the same as `type`: most
                                                       // events of a Python program are of counts

// From here on the witness is told of one fault in `weight` on average, picked at random: an event
// stands for so many, itself among them. Before the first one it is ProcessRecord::sample, or 1.
// What an event says beyond that it was there (its address, say) it says for itself alone.
struct WeightRecord {
    RecordHeader header;  //  0
    uint32_t weight;      //  8  at least 1
    uint32_t padding;     // 12
};
static_assert(sizeof(WeightRecord) == 16);
static_assert(offsetof(WeightRecord, weight) == 8);

// clang-format on

}  // namespace cowscope::trace
