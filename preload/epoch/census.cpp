// What a process says about the pages that it copied: at its end, before a further fork, and before
// it gives memory up.

#include "epoch/aggregate.h"
#include "epoch/epoch.h"
#include "session/run_records.h"
#include "session/session.h"

#include "support/poison.h"

namespace cowscope::epoch {
namespace {

uint64_t end_of(const trace::PageRun& run) {
    return run.start + run.pages * tracker::kPageBytes;
}

}  // namespace

void write_census_record(trace::CensusKind kind, const tracker::Census& census) {
    const Epoch& epoch = *sharing.epoch;
    if (!tell_generation()) return;
    const uint64_t now = sys::monotonic_ns();
    session::write_runs<trace::CensusRecord>(&session::self.writer, trace::RecordType::census,
                                             census.copied, [&](trace::CensusRecord* record) {
                                                 if (!epoch.is_protected)
                                                     record->header.flags |= trace::kNotProtected;
                                                 record->time_ns = now;
                                                 record->fresh_pages = census.fresh_pages;
                                                 record->generation = epoch.generation;
                                                 record->kind = kind;
                                                 record->padding[0] = record->padding[1] =
                                                     record->padding[2] = 0;
                                                 record->padding2 = 0;
                                             });
}

void write_census(trace::CensusKind kind) {
    Epoch& epoch = *sharing.epoch;
    epoch.census.clear();
    if (epoch.stage == Stage::witnessing) {
        // Every fault was seen: the events are the copies.
        const uint64_t seen = epoch.early_pages.fresh_pages();
        epoch.census.fresh_pages = seen > epoch.fresh_at_end ? seen : epoch.fresh_at_end;
    } else {
        const int result = sharing.tracker.take_census(epoch.arena, epoch.scan_buffer,
                                                       epoch.mappings, epoch.inherited, epoch.own,
                                                       epoch.is_protected, &epoch.census);
        if (result != 0) {
            session::write_note(trace::NoteCode::census_failed, -result);
            return;
        }
        if (epoch.census.unknown_pages != 0) {
            session::write_note(trace::NoteCode::memory_reads_as_new, 0);
        }
    }
    write_census_record(kind, epoch.census);
    if (epoch.stage == Stage::witnessing) {
        count_unseen(~uint64_t{0});
    } else {
        const uint64_t copied = epoch.census.copied.pages();
        count_unseen(copied > epoch.told_copies ? copied - epoch.told_copies : 0);
    }
}

void write_account(uint64_t fresh_pages, uint64_t held_alone_pages) {
    auto* record = session::self.writer.begin<trace::AccountRecord>(trace::RecordType::account);
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->fresh_pages = fresh_pages;
    record->held_alone_pages = held_alone_pages;
    record->generation = sharing.epoch->generation;
    record->padding = 0;
    session::self.writer.commit();
}

uint64_t write_last_account() {
    Epoch& epoch = *sharing.epoch;
    tracker::Census& census = epoch.census;
    uint64_t copied = 0;
    // Where the last census failed nothing tells what was copied.
    if (epoch.stage == Stage::tracking && sharing.tracker.check() != 0) return 0;
    if (epoch.stage == Stage::witnessing) {
        census.clear();
        census.fresh_pages = epoch.fresh_at_end;
        for (const EarlyPages::Entry& entry : epoch.early_pages) {
            if (entry.is_fresh || !epoch.inherited.contains(entry.range.start)) continue;
            census.copied.insert(epoch.arena, entry.range.start, entry.range.end);
        }
        for (const trace::PageRun& run : epoch.earlier.runs()) {
            const bool is_known = epoch.generation != 0 ||
                                  census.copied.overlaps(run.start, end_of(run)) ||
                                  !epoch.inherited.contains(run.start);
            if (!is_known) census.copied.insert(epoch.arena, run.start, end_of(run));
        }
    } else if (epoch.is_alone) {
        // What it wrote since is its own as before; what is new since is not.
        copied = epoch.copied_when_alone;
        census.clear();
        epoch.mappings.read(epoch.arena, epoch.scratch);
        const int result =
            sharing.tracker.take_census(epoch.arena, epoch.scan_buffer, epoch.mappings,
                                        epoch.inherited, epoch.own, false, &census);
        if (result != 0) return 0;
    }
    const uint64_t alone =
        sharing.look.count_alone(epoch.scan_buffer, epoch.inherited, census.copied);
    const uint64_t held_alone = alone - (copied < alone ? copied : alone);
    write_account(census.fresh_pages, held_alone);
    return census.copied.pages() + alone + census.fresh_pages;
}

bool find_copies(uint64_t start, uint64_t end) {
    Epoch& epoch = *sharing.epoch;
    epoch.census.clear();
    return epoch.is_protected && epoch.inherited.overlaps(start, end) &&
           sharing.tracker.take_census_of(epoch.arena, epoch.scan_buffer, {start, end},
                                          epoch.inherited, epoch.own, &epoch.census) == 0;
}

void record_copies(uint64_t start, uint64_t end) {
    const tracker::Census& census = sharing.epoch->census;
    if (find_copies(start, end) && census.copied.pages() != 0) {
        write_census_record(trace::CensusKind::given_up, census);
    }
}

void follow_moved(uint64_t start, uint64_t end, uint64_t to) {
    Epoch& epoch = *sharing.epoch;
    const uint64_t offset = to - start;  // modulo 2^64
    const AddressRange target = {to, end + offset};
    if (sharing.tracker.watch_moved(epoch.scan_buffer, target) != 0) {
        // What was copied is known; the rest is new where it stands, and the witness sees it.
        if (epoch.census.copied.pages() != 0) {
            write_census_record(trace::CensusKind::given_up, epoch.census);
        }
        forget_inherited(start, end);
        return;
    }
    for (const trace::PageRun& run : epoch.census.copied.runs()) {
        const uint64_t from = run.start + offset;
        sharing.tracker.unprotect({from, end_of(run) + offset});
    }
    if (to == start) return;
    if (auto* record = session::self.writer.begin<trace::MovedRecord>(trace::RecordType::moved)) {
        record->from = session::page_run({start, end});
        record->to = to;
        session::self.writer.commit();
    }
    // In another set first, because the one is read while the other is changed.
    epoch.census.clear();
    size_t cursor = 0;
    epoch.inherited.intersect(start, end, &cursor, [&](uint64_t from, uint64_t until) {
        epoch.census.copied.append(epoch.arena, from, until);
    });
    epoch.maybe_shared = 0;
    epoch.inherited.remove(epoch.arena, start, end);
    for (const trace::PageRun& run : epoch.census.copied.runs()) {
        const uint64_t from = run.start + offset;
        epoch.inherited.insert(epoch.arena, from, end_of(run) + offset);
    }
}

void follow_writable(uint64_t start, uint64_t end) {
    Epoch& epoch = *sharing.epoch;
    if (sharing.tracker.watch_moved(epoch.scan_buffer, {start, end}) != 0) return;
    epoch.maybe_shared = 0;
    epoch.inherited.remove(epoch.arena, start, end);
    epoch.census.clear();
    sharing.look.list_present(epoch.arena, epoch.scan_buffer, {start, end}, &epoch.census.copied);
    for (const trace::PageRun& run : epoch.census.copied.runs()) {
        epoch.inherited.insert(epoch.arena, run.start, end_of(run));
    }
    write_census_record(trace::CensusKind::inherited, epoch.census);
}

void record_page(trace::CensusKind kind, uint64_t page) {
    if (session::self.is_counting) {
        if (kind == trace::CensusKind::kernel) count_kernel_copy();
        return;
    }
    Epoch& epoch = *sharing.epoch;
    epoch.census.clear();
    epoch.census.copied.append(epoch.arena, page, page + tracker::kPageBytes);
    write_census_record(kind, epoch.census);
}

void renew(uint64_t start, uint64_t end) {
    Epoch& epoch = *sharing.epoch;
    if (epoch.stage != Stage::witnessing) return;
    // Without room only the inherited pages themselves tell.
    if (!epoch.renewed.add(start, end)) stop_judging_by_page();
}

void forget_inherited(uint64_t start, uint64_t end, bool is_kept) {
    Epoch& epoch = *sharing.epoch;
    epoch.early_pages.forget(start, end);
    if (epoch.stage == Stage::witnessing) {
        // Memory that came since the fork is none of what it shared. Whoever gives more up than
        // this tells it by its list.
        constexpr uint32_t kMostUnlisted = 256;
        const bool is_new = epoch.renewed.has(start) && epoch.renewed.has(end - 1);
        const bool may_be_inherited =
            !session::self.is_counting && epoch.unlisted_given_up < kMostUnlisted && !is_new;
        if (!may_be_inherited) return;
        ++epoch.unlisted_given_up;
    } else if (!epoch.inherited.overlaps(start, end)) {
        return;
    }
    // Who scans from outside must know before the kernel does it.
    if (auto* record =
            session::self.writer.begin<trace::GivenUpRecord>(trace::RecordType::given_up)) {
        if (is_kept) record->header.flags |= trace::kIsKept;
        record->range = session::page_run({start, end});
        record->time_ns = sys::monotonic_ns();
        session::self.writer.commit();
    }
    epoch.inherited.remove(epoch.arena, start, end);
}

}  // namespace cowscope::epoch
