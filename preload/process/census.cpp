// What a process says about the pages that it copied: at its end, before a further fork, and before
// it gives memory up.

#include "process/process.h"
#include "process/run_records.h"

#include "support/poison.h"

namespace cowscope::process {
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
    if (tracked.stage == Stage::witnessing) {
        // Every fault was seen: the events are the copies.
        tracked.census.fresh_pages = tracked.early_pages.fresh_pages();
    } else {
        const int result = process.tracker.take_census(
            tracked.arena, tracked.scan_buffer, tracked.mappings, tracked.inherited, tracked.own,
            tracked.is_protected, &tracked.census);
        if (result != 0) {
            write_note(trace::NoteCode::census_failed, -result);
            return;
        }
        if (tracked.census.unknown_pages != 0) {
            write_note(trace::NoteCode::memory_reads_as_new, 0);
        }
    }
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

void record_kernel_copies(const tracker::AddressRange* pages, size_t count) {
    Tracked& tracked = *process.tracked;
    tracked.census.clear();
    for (size_t i = 0; i < count; ++i) {
        tracked.census.copied.append(tracked.arena, pages[i].start, pages[i].end);
    }
    write_census_record(trace::CensusKind::kernel, tracked.census);
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
