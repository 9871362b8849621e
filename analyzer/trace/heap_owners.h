// Through which variables a CPython process reached its objects, as the recorder saw it from
// outside at one moment: the contract between `cowscope record` (observe/owners_file.h writes it)
// and the reports.
//
//     owners-PID-START-TIME.cowown      beside process-PID-START.cowseg; mode 0600
//
// It is framed like a segment (preload/format/trace_format.h): a SegmentHeader with the segment's
// pid and created_ns, then records:
//
//     look      a snapshot of the heap: when, how much was seen, and why not more
//     owner     the name of one and what it owns; ids count from 1, without gaps
//     ranges    memory that belongs to owners, in the order of addresses; in one or more parts
//
// Ranges are packed: an event's address needs to be found in millions of them, most of which are
// an object long and alternate between two owners (a dict's keys and values).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "preload/format/trace_format.h"
#include "trace/owner_ranges.h"
#include "trace/page_set.h"

namespace cowscope::trace {

inline constexpr char kOwnersSuffix[] = ".cowown";
// The owner of what is part of the interpreter's image: built-in types, None.
inline constexpr char kStaticObjects[] = "(static objects of the interpreter)";
inline constexpr auto kLookRecord = static_cast<RecordType>(0x110);
inline constexpr auto kOwnerRecord = static_cast<RecordType>(0x111);
inline constexpr auto kRangesRecord = static_cast<RecordType>(0x112);

// Why a snapshot of the heap has less than there is; bits.
inline constexpr uint32_t kCutTime = 1;
inline constexpr uint32_t kCutEdges = 2;
inline constexpr uint32_t kCutMemory = 4;
inline constexpr uint32_t kCutGone = 8;  // the process ended, or could not be read any more

struct LookRecord {
    RecordHeader header;
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t cpu_ns;
    uint64_t edges;
    uint64_t objects;
    uint32_t python_minor;  // 11 for 3.11
    uint32_t cut;           // kCut…
};
static_assert(sizeof(LookRecord) == 56);

// OwnerRecord, then name_bytes of UTF-8.
struct OwnerRecord {
    RecordHeader header;
    uint64_t objects;
    uint64_t strs;
    // Of a sample of the strs: how many there are, and how many different contents they have.
    uint32_t sampled;
    uint32_t distinct;
    uint32_t id;
    uint32_t name_bytes;
};
static_assert(sizeof(OwnerRecord) == 40);

// RangesRecord, then packed_bytes of ranges, padded to 8. Addresses count in units of 16 bytes.
// Each range is two or three numbers, in groups of 7 bits, the lowest first, the top bit set where
// more follow (LEB128):
//
//     from the end of the range before (in the first of a record: from `start`) to its start
//     length << 2 | how    how: 0 owner of the range before, 1 owner of the one before that,
//                          2 the owner's id follows
//
// Two numbers N and TIMES << 2 | 3 in place of a range: the last N ranges, each of which was
// written out since the record's start or the last such pair, come again TIMES times, with their
// gaps.
struct RangesRecord {
    RecordHeader header;
    uint64_t start;
    uint32_t count;  // each repetition counted
    uint32_t packed_bytes;
};
static_assert(sizeof(RangesRecord) == 24);

inline constexpr uint64_t kRangeUnit = 16;
// That are written out; repetitions cost nothing. They take 16 bytes each when they are read.
inline constexpr size_t kMostRanges = 24'000'000;
inline constexpr size_t kMostOwners = 1 << 16;

struct Owner {
    std::string name;
    uint64_t objects = 0;
    uint64_t strs = 0;
    uint32_t sampled = 0;
    uint32_t distinct = 0;
};

struct Owners {
    uint32_t pid = 0;
    uint64_t created_ns = 0;  // of the process's segment
    std::optional<LookRecord> look;
    std::vector<Owner> owners;  // an id is an index, plus 1
    // Why the file could not be read to its end; one line.
    std::optional<std::string> damage;

    // The id of who owns the byte at `address`; 0 for nobody.
    uint32_t find(uint64_t address) const;
    // Calls take(id) for each range that reaches into the page, with ids again and again.
    template <typename Take>
    void for_each_on_page(uint64_t page, const Take& take) const {
        ranges.for_each_in(page / kRangeUnit, (page + kPageBytes) / kRangeUnit,
                           [&](uint64_t, uint64_t, uint32_t owner) { take(owner); });
    }

    OwnerRanges ranges;
};

// Throws cowscope::Error for a file that is no such file; damage further in is noted, and what has
// more than `most_ranges` is damaged.
Owners read_owners(const std::string& path, size_t most_ranges = kMostRanges);

// All in the trace's folder, by the time of their snapshots. Files that cannot be read at all
// become lines of `damage`.
std::vector<Owners> load_owners(const std::string& folder, std::vector<std::string>* damage);

}  // namespace cowscope::trace
