// Tracking: what is done at a fork on both sides, and the census at the end.

#include <errno.h>

#include <cstring>

#include "process/process.h"
#include "process/signals.h"
#include "witness/handler.h"

#include "support/poison.h"

extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));
extern "C" const char _end[] __attribute__((visibility("hidden")));

namespace cowscope::process {
namespace {

constexpr uint64_t kPage = tracker::kPageBytes;
// How far below the page of its own frame the shim's code around a fork may reach.
constexpr uint64_t kUsedStackBytes = 3 * kPage;
// Protecting a page costs 27 ns and more (it flushes the TLB), so that a big process would feel
// each fork of a child that does nothing but exec. Beyond this many inherited pages (128 MiB) a
// witnessed process waits until some writes were seen, or the kernel is asked to write: the witness
// misses none of the program's own.
constexpr uint64_t kWorthWaitingPages = 32 * 1024;
constexpr uint32_t kFaultsBeforeProtecting = 64;

bool create_tracked() {
    Arena arena;
    if (!arena.create()) return false;
    auto* tracked = arena.create_object<Tracked>();
    if (tracked == nullptr || !tracked->walker.create(arena)) return false;
    tracked->arena = arena;
    tracked->own = {{arena.start(), arena.end()},
                    {reinterpret_cast<uint64_t>(__ehdr_start),
                     (reinterpret_cast<uint64_t>(_end) + kPage - 1) & ~(kPage - 1)}};
    process.tracked = tracked;
    return true;
}

// Runs are split over as many records as they need; there is always one, the last without
// kMoreParts.
template <typename Record, typename Fill>
void write_runs(trace::RecordType type, const tracker::PageRuns& pages, Fill&& fill) {
    constexpr size_t kRunsARecord =
        (trace::kMaxRecordBytes - sizeof(Record)) / sizeof(trace::PageRun);
    const auto& runs = pages.runs();
    size_t next = 0;
    do {
        const size_t left = runs.size() - next;
        const size_t count = left < kRunsARecord ? left : kRunsARecord;
        auto* record = process.writer.begin<Record>(type, count * sizeof(trace::PageRun));
        if (record == nullptr) return;
        record->header.flags = next + count < runs.size() ? trace::kMoreParts : 0;
        fill(record);
        record->run_count = static_cast<uint32_t>(count);
        if (count != 0) {
            std::memcpy(record + 1, runs.begin() + next, count * sizeof(trace::PageRun));
        }
        process.writer.commit();
        next += count;
    } while (next < runs.size());
}

void write_inherited(trace::Tracker tracker, trace::Witness witness) {
    const uint64_t now = sys::monotonic_ns();
    Tracked& tracked = *process.tracked;
    write_runs<trace::InheritedRecord>(trace::RecordType::inherited, tracked.inherited,
                                       [&](trace::InheritedRecord* record) {
                                           record->time_ns = now;
                                           record->generation = tracked.generation;
                                           record->tracker = tracker;
                                           record->witness = witness;
                                           record->padding[0] = record->padding[1] = 0;
                                           record->padding2 = 0;
                                       });
}

// The best tracker there is, or the one that was asked for. What works is found out once and holds
// for all children.
bool start_tracker() {
    if (process.options.tracker == TrackerChoice::off) return false;
    if (process.tracker.is_open()) return true;
    int result = -EOPNOTSUPP;
    if (process.options.tracker != TrackerChoice::soft_dirty) {
        result = process.tracker.open(trace::Tracker::userfaultfd);
        if (result == 0) return true;
    }
    if (process.options.tracker != TrackerChoice::userfaultfd) {
        const int soft_dirty = process.tracker.open(trace::Tracker::soft_dirty);
        if (soft_dirty == 0) return true;
        // Why the better one is missing says more.
        if (process.options.tracker == TrackerChoice::soft_dirty) result = soft_dirty;
    }
    write_note(trace::NoteCode::tracker_unavailable, -result);
    return false;
}

bool start_witness() {
    if (process.options.witness == WitnessChoice::off) return false;
    if (process.trap.is_open()) return true;
    handle_trap(witness::on_trap);
    const int result = process.trap.open(process.options.sample);
    if (result != 0) write_note(trace::NoteCode::witness_unavailable, -result);
    return result == 0;
}

tracker::AddressRange stack_in_use() {
    const uint64_t page = reinterpret_cast<uint64_t>(__builtin_frame_address(0)) & ~(kPage - 1);
    return {page - kUsedStackBytes, page + kPage};
}

trace::PageRun page_run(const tracker::AddressRange& range) {
    return {range.start, (range.end - range.start) / kPage};
}

void write_protected() {
    auto* record = process.writer.begin<trace::ProtectRecord>(trace::RecordType::protect);
    if (record == nullptr) return;
    const Tracked& tracked = *process.tracked;
    record->time_ns = sys::monotonic_ns();
    record->generation = tracked.generation;
    record->padding = 0;
    record->own[0] = page_run(tracked.own.arena);
    record->own[1] = page_run(tracked.own.image);
    process.writer.commit();
}

void protect() {
    Tracked& tracked = *process.tracked;
    tracked.faults_before_protecting = 0;
    const int result =
        process.tracker.protect(tracked.scan_buffer, tracked.mappings, tracked.own, stack_in_use());
    tracked.is_protected = result == 0;
    if (result == 0) {
        write_protected();
    } else {
        write_note(trace::NoteCode::census_failed, -result);
    }
}

// smaps_rollup walks all pages, at up to 100 ns each. Beyond 8 MiB that shows, and its answer is
// known without asking: a fork has just shared them all.
constexpr uint64_t kWorthMeasuringPages = 2 * 1024;

void write_memory_at_fork() {
    if (process.tracked->inherited.pages() <= kWorthMeasuringPages) {
        write_memory(trace::MemoryMoment::fork);
    } else if (auto* record =
                   process.writer.begin<trace::MemoryRecord>(trace::RecordType::memory)) {
        const trace::RecordHeader header = record->header;
        *record = {};
        record->header = header;
        record->header.flags = trace::kNotMeasured;
        record->time_ns = sys::monotonic_ns();
        record->moment = trace::MemoryMoment::fork;
        process.writer.commit();
    }
}

}  // namespace

void track() {
    const bool again = process.tracked != nullptr;
    if (!again && !create_tracked()) {
        write_note(trace::NoteCode::tracker_unavailable, ENOMEM);
        return;
    }
    Tracked& tracked = *process.tracked;
    if (tracked.is_protected) write_census(trace::CensusKind::generation);
    if (process.forks != 0) tracked.generation = process.forks;

    read_mappings();
    tracked.inherited.clear();
    tracked.watching = start_tracker();
    bool witnessed = false;
    if (tracked.watching) {
        process.tracker.watch(tracked.mappings, tracked.own, [](uint64_t start, int error) {
            write_note(trace::NoteCode::mapping_not_tracked, -error, start);
        });
        const int result =
            process.tracker.list_present(tracked.arena, tracked.scan_buffer, tracked.mappings,
                                         tracked.own, stack_in_use(), &tracked.inherited);
        if (result != 0) write_note(trace::NoteCode::census_failed, -result);
        if (!again && !process.tracker.knows_zero_page()) {
            write_note(trace::NoteCode::zero_pages_unknown, 0);
        }
        for (const tracker::AddressRange& range : process.unshared) {
            tracked.inherited.remove(tracked.arena, range.start, range.end);
        }
        if (!again) write_memory_at_fork();
        handle_default_ends();
        witnessed = start_witness();
        if (witnessed && !tracked.is_protected && tracked.inherited.pages() > kWorthWaitingPages) {
            tracked.faults_before_protecting = kFaultsBeforeProtecting;
        } else {
            protect();
        }
    }
    write_inherited(tracked.watching ? process.tracker.kind() : trace::Tracker::off,
                    witnessed ? trace::Witness::trap : trace::Witness::off);
}

void read_mappings() {
    Tracked& tracked = *process.tracked;
    const uint64_t now = sys::monotonic_ns();
    tracked.mappings.read(
        tracked.arena, tracked.scratch, [&](const char* text, size_t length, bool last) {
            auto* record =
                process.writer.begin<trace::MappingsRecord>(trace::RecordType::mappings, length);
            if (record == nullptr) return;
            record->time_ns = now;
            record->text_bytes = static_cast<uint32_t>(length);
            record->padding = 0;
            record->header.flags = last ? 0 : trace::kMoreParts;
            if (length != 0) std::memcpy(record + 1, text, length);
            process.writer.commit();
        });
}

void protect_when_worth_it() {
    Tracked& tracked = *process.tracked;
    if (tracked.faults_before_protecting == 0 || --tracked.faults_before_protecting != 0) return;
    protect();
}

void before_kernel_writes() {
    const Tracked* tracked = process.tracked;
    if (tracked == nullptr || tracked->faults_before_protecting == 0 || !is_current()) return;
    const Locked locked;
    if (process.tracked != nullptr && process.tracked->faults_before_protecting != 0) protect();
}

namespace {

void write_census_record(trace::CensusKind kind, const tracker::Census& census) {
    const Tracked& tracked = *process.tracked;
    const uint64_t now = sys::monotonic_ns();
    write_runs<trace::CensusRecord>(
        trace::RecordType::census, census.copied, [&](trace::CensusRecord* record) {
            if (!tracked.is_protected) record->header.flags |= trace::kNotProtected;
            record->time_ns = now;
            record->fresh_pages = census.fresh_pages;
            record->generation = tracked.generation;
            record->kind = kind;
            record->padding[0] = record->padding[1] = record->padding[2] = 0;
            record->padding2 = 0;
        });
}

}  // namespace

void write_census(trace::CensusKind kind) {
    Tracked& tracked = *process.tracked;
    tracked.census.clear();
    const int result = process.tracker.take_census(tracked.arena, tracked.scan_buffer,
                                                   tracked.mappings, tracked.inherited, tracked.own,
                                                   tracked.is_protected, &tracked.census);
    if (result != 0) {
        write_note(trace::NoteCode::census_failed, -result);
        return;
    }
    if (tracked.census.unknown_pages != 0) write_note(trace::NoteCode::memory_reads_as_new, 0);
    write_census_record(kind, tracked.census);
}

void record_copies(uint64_t start, uint64_t end) {
    Tracked& tracked = *process.tracked;
    if (!tracked.is_protected || !tracked.inherited.overlaps(start, end)) return;
    tracked.census.clear();
    const int result =
        process.tracker.take_census_of(tracked.arena, tracked.scan_buffer, {start, end},
                                       tracked.inherited, tracked.own, &tracked.census);
    if (result == 0 && tracked.census.copied.pages() != 0) {
        write_census_record(trace::CensusKind::given_up, tracked.census);
    }
}

void forget_inherited(uint64_t start, uint64_t end) {
    Tracked& tracked = *process.tracked;
    if (!tracked.inherited.overlaps(start, end)) return;
    // Who scans from outside must know before the kernel does it.
    if (auto* record = process.writer.begin<trace::GivenUpRecord>(trace::RecordType::given_up)) {
        record->range = page_run({start, end});
        process.writer.commit();
    }
    tracked.inherited.remove(tracked.arena, start, end);
}

}  // namespace cowscope::process
