// A segment file: its header, and how records stand in it. Rules: trace_format.h.
//
//     +---------------+--------+--------+--------+-- - - - --+------------------- - - -
//     | SegmentHeader | record | record | record |           | reserved, not yet written
//     +---------------+--------+--------+--------+-- - - - --+------------------- - - -
//     0               64                                     ^ SegmentHeader::committed_bytes
//
//     record:  +--------------+-------------------------------+-------------+- - - - -+
//              | RecordHeader | the other fields of its type  | its content | padding |
//              +--------------+-------------------------------+-------------+- - - - -+
//              0              8                                             a multiple of 8
//
// A writer first completes a record and then moves committed_bytes past it with a release store, so
// a writer that is killed anywhere costs at most the record it was at. Bytes behind committed_bytes
// mean nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cowscope::trace {

inline constexpr char kMagic[8] = {'C', 'O', 'W', 'S', 'C', 'O', 'P', 'E'};
inline constexpr uint32_t kVersion = 4;
// No record is larger; longer content is split over several records of its type.
inline constexpr uint32_t kMaxRecordBytes = 64 * 1024;

// clang-format off
struct SegmentHeader {
    char     magic[8];         //  0
    uint32_t version;          //  8
    uint32_t header_bytes;     // 12  where the first record starts
    uint64_t features;         // 16  bits that a reader must know; none so far
    uint32_t page_size;        // 24  bytes
    uint32_t pid;              // 28  as the process itself sees it
    uint64_t created_ns;       // 32
    uint64_t committed_bytes;  // 40  file offset behind the last complete record
    int32_t  child_error;      // 48  why the last forked child that has no segment has none
                               //     (errno), or 0. Children that are killed at once say nothing
    uint16_t machine;          // 52  e_machine of ELF; 0 in older traces: kFirstMachine (machine.h)
    uint16_t padding;          // 54
    uint64_t reserved;         // 56
};
static_assert(sizeof(SegmentHeader) == 64);
static_assert(offsetof(SegmentHeader, version) == 8);
static_assert(offsetof(SegmentHeader, header_bytes) == 12);
static_assert(offsetof(SegmentHeader, features) == 16);
static_assert(offsetof(SegmentHeader, page_size) == 24);
static_assert(offsetof(SegmentHeader, pid) == 28);
static_assert(offsetof(SegmentHeader, created_ns) == 32);
static_assert(offsetof(SegmentHeader, committed_bytes) == 40);
static_assert(offsetof(SegmentHeader, child_error) == 48);
static_assert(offsetof(SegmentHeader, machine) == 52);

enum class RecordType : uint16_t {
    process       = 1,   // who this is
    loss          = 2,   // counters of what could not be recorded; the first record, updated in
                         // place
    mappings      = 3,   // text of /proc/self/maps, in one or more parts
    inherited     = 4,   // runs of inherited pages
    stack         = 5,
    site          = 6,
    exemplar      = 7,   // the registers at an event
    type          = 8,   // a type object
    event         = 9,
    census        = 10,  // pages that were copied
    memory        = 11,  // of the whole process, as the kernel counts it
    fork          = 12,
    end           = 13,
    note          = 14,
    protect       = 15,  // what is written from now on shows in a census
    discarded      = 16,  // inherited pages that are inherited no more
    epoch    = 17,  // the process shares its pages from now on: an epoch begins
    moved         = 18,  // inherited pages stand at other addresses
    runtime       = 19,  // the language runtime in this process
    runtime_thread = 20,
    runtime_code  = 21,
    runtime_stack  = 22,
    object_value  = 23,
    weight        = 24,  // how many faults each event from here on stands for
    account       = 29,  // what a process has to itself
};
// clang-format on

struct RecordHeader {
    uint32_t bytes;  // whole record with this header; a multiple of 8, at most kMaxRecordBytes
    RecordType type;
    uint16_t flags;  // of the record's type
};
static_assert(sizeof(RecordHeader) == 8);
static_assert(offsetof(RecordHeader, type) == 4);
static_assert(offsetof(RecordHeader, flags) == 6);

// RecordHeader::flags of a record type that comes in parts: more parts follow.
inline constexpr uint16_t kMoreParts = 1 << 0;

}  // namespace cowscope::trace
