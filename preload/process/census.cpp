// What a process says about the pages that it copied: at its end, before a further fork, and before
// it gives memory up.

#include "process/counting.h"
#include "process/process.h"
#include "process/run_records.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

uint64_t end_of(const trace::PageRun& run) {
    return run.start + run.pages * tracker::kPageBytes;
}

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

bool find_copies(uint64_t start, uint64_t end) {
    Tracked& tracked = *process.tracked;
    tracked.census.clear();
    return tracked.is_protected && tracked.inherited.overlaps(start, end) &&
           process.tracker.take_census_of(tracked.arena, tracked.scan_buffer, {start, end},
                                          tracked.inherited, tracked.own, &tracked.census) == 0;
}

void record_copies(uint64_t start, uint64_t end) {
    const tracker::Census& census = process.tracked->census;
    if (find_copies(start, end) && census.copied.pages() != 0) {
        write_census_record(trace::CensusKind::given_up, census);
    }
}

void follow_moved(uint64_t start, uint64_t end, uint64_t to) {
    Tracked& tracked = *process.tracked;
    const uint64_t offset = to - start;  // modulo 2^64
    const tracker::AddressRange target = {to, end + offset};
    if (process.tracker.watch_moved(tracked.scan_buffer, target) != 0) {
        // What was copied is known; the rest is new where it stands, and the witness sees it.
        if (tracked.census.copied.pages() != 0) {
            write_census_record(trace::CensusKind::given_up, tracked.census);
        }
        forget_inherited(start, end);
        return;
    }
    for (const trace::PageRun& run : tracked.census.copied.runs()) {
        const uint64_t from = run.start + offset;
        process.tracker.unprotect({from, end_of(run) + offset});
    }
    if (auto* record = process.writer.begin<trace::MovedRecord>(trace::RecordType::moved)) {
        record->from = page_run({start, end});
        record->to = to;
        process.writer.commit();
    }
    // In another set first, because the one is read while the other is changed.
    tracked.census.clear();
    size_t cursor = 0;
    tracked.inherited.intersect(start, end, &cursor, [&](uint64_t from, uint64_t until) {
        tracked.census.copied.append(tracked.arena, from, until);
    });
    tracked.maybe_shared = 0;
    tracked.inherited.remove(tracked.arena, start, end);
    for (const trace::PageRun& run : tracked.census.copied.runs()) {
        const uint64_t from = run.start + offset;
        tracked.inherited.insert(tracked.arena, from, end_of(run) + offset);
    }
}

void follow_writable(uint64_t start, uint64_t end) {
    Tracked& tracked = *process.tracked;
    if (process.tracker.watch_moved(tracked.scan_buffer, {start, end}) != 0) return;
    tracked.maybe_shared = 0;
    tracked.inherited.remove(tracked.arena, start, end);
    tracked.census.clear();
    process.look.list_present(tracked.arena, tracked.scan_buffer, {start, end},
                              &tracked.census.copied);
    for (const trace::PageRun& run : tracked.census.copied.runs()) {
        tracked.inherited.insert(tracked.arena, run.start, end_of(run));
    }
    write_census_record(trace::CensusKind::inherited, tracked.census);
}

void record_page(trace::CensusKind kind, uint64_t page) {
    if (process.is_counting) {
        if (kind == trace::CensusKind::kernel) count_kernel_copy();
        return;
    }
    Tracked& tracked = *process.tracked;
    tracked.census.clear();
    tracked.census.copied.append(tracked.arena, page, page + tracker::kPageBytes);
    write_census_record(kind, tracked.census);
}

void forget_inherited(uint64_t start, uint64_t end) {
    Tracked& tracked = *process.tracked;
    tracked.early_pages.forget(start, end);
    if (!tracked.inherited.overlaps(start, end)) return;
    // Who scans from outside must know before the kernel does it.
    if (auto* record = process.writer.begin<trace::GivenUpRecord>(trace::RecordType::given_up)) {
        record->range = page_run({start, end});
        process.writer.commit();
    }
    tracked.inherited.remove(tracked.arena, start, end);
}

}  // namespace cowscope::process
