// One process of a trace: everything in its segment but the events, which are streamed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "preload/format/runtime_format.h"
#include "trace/fork_addresses.h"
#include "trace/mappings.h"
#include "trace/outside.h"
#include "trace/page_set.h"
#include "trace/segment_reader.h"

namespace cowscope::trace {

// Between two forks of a process, or a fork and its end.
struct Epoch {
    uint32_t number = 0;
    uint64_t start_ns = 0;
    Tracker tracker = Tracker::off;
    Witness witness = Witness::off;
    bool is_listed = false;  // `inherited` is known
    bool had_more = false;   // at the fork, than `inherited`
    uint64_t listed_ns = 0;
    PageSet inherited;
    // Parts of the list are missing: what is not in it may be inherited all the same.
    bool is_list_torn = false;
    // By the last census, and by those of ranges. Pages that were moved are named where they were
    // inherited, here and there.
    PageSet copied;
    PageSet earlier;               // of those: before anybody could see who wrote
    PageSet not_copied;            // though an event says so
    PageSet unseen;                // that the kernel has copied, unless somebody else had before
    uint64_t unseen_ns = 0;        // when these were found
    ForkAddresses fork_addresses;  // at the end of the epoch
    // What the process unmapped, moved or discarded, in the order of time.
    struct GivenUp {
        PageRun range;
        uint64_t time_ns;
    };
    std::vector<GivenUp> discarded;
    std::optional<CensusKind> census;
    uint64_t census_ns = 0;
    uint64_t fresh_pages = 0;
    // The census says which pages were written, not just which there are.
    bool was_protected = false;
    // The largest weight that events of it have, or would have had. Above 1 not every copy has one.
    uint32_t largest_weight = 1;
};

struct Site {
    uint32_t stack = 0;
    uint64_t instruction_pointer = 0;
    std::array<uint8_t, kCodeBytes> code{};
};

struct Stack {
    std::vector<uint64_t> ips;
    bool truncated = false;
};

// The registers of one event and what it found in memory.
struct Exemplar {
    std::array<uint64_t, kRegisterCount> registers{};
    EventRecord event{};
};

// What the shim saw of a CPython interpreter.
struct RuntimeCode {
    uint64_t address = 0;
    uint32_t bytes = 0;              // of the object
    uint32_t instruction_start = 0;  // 0: not in the object
    int32_t first_line = 0;
    std::string name;
    std::string file;
    std::vector<uint8_t> line_table;
    bool line_table_truncated = false;
};

struct RuntimeStack {
    std::vector<RuntimeFrame> frames;  // innermost first; codes are ids, with kEnteredFromC
    bool truncated = false;
};

struct ObjectValue {
    ObjectValueRecord facts{};
    bool truncated = false;
    std::string text;
};

struct RuntimeData {
    std::optional<RuntimeRecord> interpreter;
    std::vector<RuntimeThreadRecord> threads;
    std::vector<RuntimeCode> codes;
    std::vector<RuntimeStack> stacks;
    std::vector<ObjectValue> values;
    std::unordered_map<uint32_t, std::vector<size_t>> values_of_site;  // indices
};

struct LeftOut {
    uint64_t records = 0;
    std::string first;  // what is wrong with the first of them; one line
};

void add_to(LeftOut* left_out, std::string line);
// One line.
std::string text_of(const LeftOut& left_out);

struct ProcessTrace {
    std::string path;
    SegmentHeader header{};
    ProcessRecord process{};
    // Index in Trace::processes of the process that forked this one; nothing for images, and where
    // that left no trace.
    std::optional<size_t> parent;
    std::vector<std::string> command;
    std::string executable;
    LossRecord loss{};
    // In the order they were taken. Children share their parent's where they took none.
    std::vector<std::shared_ptr<const Mappings>> mappings;
    std::vector<Epoch> epochs;
    std::vector<Stack> stacks;
    std::vector<Site> sites;
    std::unordered_map<uint32_t, std::vector<Exemplar>> exemplars;  // by site
    std::vector<std::string> type_names;                            // in the order of their records
    std::unordered_map<uint64_t, std::string> types;                // by address, the newest there
    RuntimeData runtime;
    std::vector<AccountRecord> accounts;
    std::optional<MemoryRecord> memory_at_fork;
    std::optional<MemoryRecord> memory_at_end;
    std::vector<uint64_t> fork_times_ns;
    std::optional<EndRecord> end;
    // When its recording ended before it did, because of the size limit (EndKind::bound).
    std::optional<uint64_t> bound_ns;
    std::vector<NoteRecord> notes;
    // Only in a whole trace (trace.h), and only where the recorder looked.
    std::optional<Outside> outside;
    uint64_t last_time_ns = 0;  // the last sign of life
    uint64_t event_count = 0;
    // Why the segment could not be read to its end; one line.
    std::optional<std::string> damage;
    // Records that are whole and name what is not there, and lists without an end: left out.
    LeftOut left_out;
    std::vector<uint64_t> left_out_events;  // offsets in the file, ascending

    uint32_t pid() const { return header.pid; }
    void see_time(uint64_t time_ns) { last_time_ns = std::max(last_time_ns, time_ns); }
};

// Reads a segment. Throws cowscope::Error where nothing of it can be used; damage further in is
// noted in the result, and what stands before it is kept.
ProcessTrace load_process(const std::string& path);

// Whether its last census is one behind which nothing was copied.
inline bool has_last_census(const ProcessTrace& process) {
    if (process.epochs.empty()) return false;
    const auto census = process.epochs.back().census;
    return census == CensusKind::alone ||
           (census == CensusKind::final && (process.end || process.bound_ns));
}

// How many faults the first events stand for.
inline uint32_t first_weight(const ProcessTrace& process) {
    return process.process.sample == 0 ? 1 : process.process.sample;
}

// Where an event belongs.
struct EventPlace {
    size_t epoch;     // index into ProcessTrace::epochs
    uint64_t page;    // of the event's address, where it was inherited (fork_addresses.h)
    uint32_t weight;  // how many faults it stands for
    // Of the object's type, in ProcessTrace::type_names, and 1 more; 0: none that is known. The
    // address alone does not say it: another type may come to where one was freed.
    uint32_t type = 0;
};

// Calls sink(event, place) for every event in the order it was written, up to where load_process()
// found damage.
using EventSink = std::function<void(const EventRecord&, const EventPlace&)>;
void for_each_event(const ProcessTrace& process, const EventSink& sink);

}  // namespace cowscope::trace
