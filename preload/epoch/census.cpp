// What a process says about the pages that it copied: at its end, before a further fork, and before
// it gives memory up.

#include "epoch/counting.h"
#include "epoch/process.h"
#include "session/run_records.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

uint64_t end_of(const trace::PageRun& run) {
    return run.start + run.pages * tracker::kPageBytes;
}

}  // namespace

void write_census_record(trace::CensusKind kind, const tracker::Census& census) {
    const Tracked& tracked = *process.tracked;
    if (!tell_generation()) return;
    const uint64_t now = sys::monotonic_ns();
    session::write_runs<trace::CensusRecord>(&process.writer, 
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

void write_census(trace::CensusKind kind) {
    Tracked& tracked = *process.tracked;
    tracked.census.clear();
    if (tracked.stage == Stage::witnessing) {
        // Every fault was seen: the events are the copies.
        const uint64_t seen = tracked.early_pages.fresh_pages();
        tracked.census.fresh_pages = seen > tracked.fresh_at_end ? seen : tracked.fresh_at_end;
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
    if (tracked.stage == Stage::witnessing) {
        count_unseen(~uint64_t{0});
    } else {
        const uint64_t copied = tracked.census.copied.pages();
        count_unseen(copied > tracked.told_copies ? copied - tracked.told_copies : 0);
    }
}

void write_account(uint64_t fresh_pages, uint64_t held_alone_pages) {
    auto* record = process.writer.begin<trace::AccountRecord>(trace::RecordType::account);
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->fresh_pages = fresh_pages;
    record->held_alone_pages = held_alone_pages;
    record->generation = process.tracked->generation;
    record->padding = 0;
    process.writer.commit();
}

uint64_t write_last_account() {
    Tracked& tracked = *process.tracked;
    tracker::Census& census = tracked.census;
    uint64_t copied = 0;
    // Where the last census failed nothing tells what was copied.
    if (tracked.stage == Stage::tracking && process.tracker.check() != 0) return 0;
    if (tracked.stage == Stage::witnessing) {
        census.clear();
        census.fresh_pages = tracked.fresh_at_end;
        for (const EarlyPages::Entry& entry : tracked.early_pages) {
            if (entry.is_fresh || !tracked.inherited.contains(entry.range.start)) continue;
            census.copied.insert(tracked.arena, entry.range.start, entry.range.end);
        }
        for (const trace::PageRun& run : tracked.earlier.runs()) {
            const bool is_known = tracked.generation != 0 ||
                                  census.copied.overlaps(run.start, end_of(run)) ||
                                  !tracked.inherited.contains(run.start);
            if (!is_known) census.copied.insert(tracked.arena, run.start, end_of(run));
        }
    } else if (tracked.is_alone) {
        // What it wrote since is its own as before; what is new since is not.
        copied = tracked.copied_when_alone;
        census.clear();
        tracked.mappings.read(tracked.arena, tracked.scratch);
        const int result =
            process.tracker.take_census(tracked.arena, tracked.scan_buffer, tracked.mappings,
                                        tracked.inherited, tracked.own, false, &census);
        if (result != 0) return 0;
    }
    const uint64_t alone =
        process.look.count_alone(tracked.scan_buffer, tracked.inherited, census.copied);
    const uint64_t held_alone = alone - (copied < alone ? copied : alone);
    write_account(census.fresh_pages, held_alone);
    return census.copied.pages() + alone + census.fresh_pages;
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
    const AddressRange target = {to, end + offset};
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
    if (to == start) return;
    if (auto* record = process.writer.begin<trace::MovedRecord>(trace::RecordType::moved)) {
        record->from = session::page_run({start, end});
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

void renew(uint64_t start, uint64_t end) {
    Tracked& tracked = *process.tracked;
    if (tracked.stage != Stage::witnessing) return;
    // Without room only the inherited pages themselves tell.
    if (!tracked.renewed.add(start, end)) stop_judging_by_page();
}

void forget_inherited(uint64_t start, uint64_t end, bool is_kept) {
    Tracked& tracked = *process.tracked;
    tracked.early_pages.forget(start, end);
    if (tracked.stage == Stage::witnessing) {
        // Memory that came since the fork is none of what it shared. Whoever gives more up than
        // this tells it by its list.
        constexpr uint32_t kMostUnlisted = 256;
        const bool is_new = tracked.renewed.has(start) && tracked.renewed.has(end - 1);
        const bool may_be_inherited =
            !process.is_counting && tracked.unlisted_given_up < kMostUnlisted && !is_new;
        if (!may_be_inherited) return;
        ++tracked.unlisted_given_up;
    } else if (!tracked.inherited.overlaps(start, end)) {
        return;
    }
    // Who scans from outside must know before the kernel does it.
    if (auto* record = process.writer.begin<trace::GivenUpRecord>(trace::RecordType::given_up)) {
        if (is_kept) record->header.flags |= trace::kIsKept;
        record->range = session::page_run({start, end});
        record->time_ns = sys::monotonic_ns();
        process.writer.commit();
    }
    tracked.inherited.remove(tracked.arena, start, end);
}

}  // namespace cowscope::process
