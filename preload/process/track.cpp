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

bool create_tracked() {
    Arena arena;
    if (!arena.create()) return false;
    auto* tracked = arena.create_object<Tracked>();
    if (tracked == nullptr || !tracked->walker.create(arena)) return false;
    tracked->arena = arena;
    tracked->own = {arena.start(), arena.end(), reinterpret_cast<uint64_t>(__ehdr_start),
                    (reinterpret_cast<uint64_t>(_end) + kPage - 1) & ~(kPage - 1)};
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
        fill(record);
        record->run_count = static_cast<uint32_t>(count);
        record->header.flags = next + count < runs.size() ? trace::kMoreParts : 0;
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

int read_mappings() {
    Tracked& tracked = *process.tracked;
    const uint64_t now = sys::monotonic_ns();
    return tracked.mappings.read(
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

bool start_tracker() {
    if (process.options.tracker == TrackerChoice::off) return false;
    if (process.tracker.is_open()) return true;
    const int result = process.tracker.open();
    if (result != 0) write_note(trace::NoteCode::tracker_unavailable, -result);
    return result == 0;
}

bool start_witness() {
    if (process.options.witness == WitnessChoice::off) return false;
    if (process.trap.is_open()) return true;
    handle_trap(witness::on_trap);
    const int result = process.trap.open(process.options.sample);
    if (result != 0) write_note(trace::NoteCode::witness_unavailable, -result);
    return result == 0;
}

}  // namespace

void track() {
    const bool again = process.tracked != nullptr;
    if (!again && !create_tracked()) {
        write_note(trace::NoteCode::tracker_unavailable, ENOMEM);
        return;
    }
    Tracked& tracked = *process.tracked;
    if (tracked.armed) write_census(trace::CensusKind::generation);
    if (process.forks != 0) tracked.generation = process.forks;

    read_mappings();
    write_memory(trace::MemoryMoment::fork);
    tracked.inherited.clear();
    tracked.armed = start_tracker();
    if (tracked.armed) {
        process.tracker.watch(tracked.mappings, tracked.own, [](uint64_t start, int error) {
            write_note(trace::NoteCode::mapping_not_tracked, -error, start);
        });
        const uint64_t frame =
            reinterpret_cast<uint64_t>(__builtin_frame_address(0)) & ~(kPage - 1);
        const int result =
            process.tracker.arm(tracked.arena, tracked.scan_buffer, frame - kUsedStackBytes,
                                frame + kPage, &tracked.inherited);
        if (result != 0) write_note(trace::NoteCode::census_failed, -result);
    }
    handle_default_ends();
    // Last, so that the shim's own first writes above are not witnessed.
    const bool witnessed = tracked.armed && start_witness();
    write_inherited(tracked.armed ? trace::Tracker::userfaultfd : trace::Tracker::off,
                    witnessed ? trace::Witness::trap : trace::Witness::off);
}

void write_census(trace::CensusKind kind) {
    Tracked& tracked = *process.tracked;
    tracker::Userfaultfd::Census& census = tracked.census;
    census.copied.clear();
    census.fresh_pages = 0;
    const int result = process.tracker.take_census(tracked.arena, tracked.scan_buffer,
                                                   tracked.inherited, tracked.own, &census);
    if (result != 0) {
        write_note(trace::NoteCode::census_failed, -result);
        return;
    }
    const uint64_t now = sys::monotonic_ns();
    write_runs<trace::CensusRecord>(
        trace::RecordType::census, census.copied, [&](trace::CensusRecord* record) {
            record->time_ns = now;
            record->fresh_pages = census.fresh_pages;
            record->generation = tracked.generation;
            record->kind = kind;
            record->padding[0] = record->padding[1] = record->padding[2] = 0;
            record->padding2 = 0;
        });
}

}  // namespace cowscope::process
