// What the recorder saw of a process from outside while the process ran: the contract between
// `cowscope record` (observe/outside_file.h writes it) and the reports.
//
//     outside-PID-START.cowscan         beside process-PID-START.cowseg; mode 0600
//
// It is framed like a segment (preload/format/trace_format.h): a SegmentHeader with the segment's
// pid and created_ns, then records:
//
//     samples   what the scans counted, in the order of time; thinned out evenly when there are
//     many census    CensusRecord of kind `outside`, in one or more parts: the last scan's copied
//     pages account   what the process had to itself at the scan where that was most
//     fate      what became of the process; only where the recorder saw it
//
// The recorder replaces the whole file at every scan; only the fate is appended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "preload/format/trace_format.h"
#include "trace/page_set.h"

namespace cowscope::trace {

struct ProcessTrace;

inline constexpr char kOutsideSuffix[] = ".cowscan";
// The shim writes no record types from here on.
inline constexpr auto kSamplesRecord = static_cast<RecordType>(0x100);
inline constexpr auto kFateRecord = static_cast<RecordType>(0x101);
// A timeline needs no more.
inline constexpr size_t kMaxOutsideSamples = 192;

struct OutsideSample {
    uint64_t time_ns;  // when the scan began
    uint64_t copied_pages;
    uint64_t fresh_pages;
    uint32_t epoch;
    uint32_t padding;
};
static_assert(sizeof(OutsideSample) == 32);

// SamplesRecord, then `count` OutsideSamples.
struct SamplesRecord {
    RecordHeader header;
    uint32_t count;
    uint32_t padding;
};
static_assert(sizeof(SamplesRecord) == 16);

struct FateRecord {
    RecordHeader header;
    uint64_t gone_ns;  // when it was first seen to be gone; it may have ended before
    EndKind kind;      // exit or signal; 0 where nobody saw it
    uint8_t padding[3];
    int32_t value;  // exit status or signal number
};
static_assert(sizeof(FateRecord) == 24);

struct OutsideCensus {
    uint64_t time_ns = 0;  // when the scan began
    uint32_t epoch = 0;
    uint64_t fresh_pages = 0;
    PageSet copied;
};

struct Outside {
    std::vector<OutsideSample> samples;  // times ascend
    std::optional<OutsideCensus> census;
    std::optional<AccountRecord> account;
    std::optional<FateRecord> fate;
    // Why the file could not be read to its end; one line.
    std::optional<std::string> damage;

    // Whether it is known how the process ended.
    bool knows_end() const { return fate && fate->kind != EndKind{0}; }
};

// DIR/outside-7-9.cowscan for DIR/process-7-9.cowseg, and for DIR/others/process-7-9.cowseg: other
// users write into that folder.
std::string outside_path_of(const std::string& folder, const std::string& segment_path);

// Nothing where there is no such file. Throws cowscope::Error where it is of another kind or
// version.
std::optional<Outside> read_outside(const std::string& path);

// Reads what belongs to the process's segment in the trace FOLDER, if there is such a file. Its
// census becomes that of its epoch, where the process took no later one itself. Damage goes to
// process->outside.
void add_outside(const std::string& folder, ProcessTrace* process);

}  // namespace cowscope::trace
