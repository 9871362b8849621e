#include "epoch/census.h"

#include "arch/cpu.h"
#include "epoch/aggregate.h"
#include "epoch/begin.h"
#include "epoch/blocked_threads.h"
#include "epoch/epoch.h"
#include "session/run_records.h"
#include "session/session.h"

#include "support/poison.h"

namespace cowscope::epoch {
namespace {

uint64_t end_of(const trace::PageRun& run) {
    return run.start + run.pages * cpu::kPageBytes;
}

}  // namespace

void write_census_record(trace::CensusKind kind, const tracker::Census& census) {
    const Epoch& epoch = *sharing.epoch;
    if (!tell_epoch()) return;
    const uint64_t now = sys::monotonic_ns();
    session::write_runs<trace::CensusRecord>(&session::self.writer, trace::RecordType::census,
                                             census.copied, [&](trace::CensusRecord* record) {
                                                 if (!epoch.state.is(State::tracking))
                                                     record->header.flags |= trace::kNotProtected;
                                                 record->time_ns = now;
                                                 record->fresh_pages = census.fresh_pages;
                                                 record->epoch = epoch.number;
                                                 record->kind = kind;
                                                 record->padding[0] = record->padding[1] =
                                                     record->padding[2] = 0;
                                                 record->padding2 = 0;
                                             });
}

void write_census(trace::CensusKind kind) {
    Epoch& epoch = *sharing.epoch;
    epoch.census.clear();
    if (epoch.state.is_classifying()) {
        // Every fault was seen: the events are the copies.
        const uint64_t seen = epoch.classified_pages.fresh_pages();
        epoch.census.fresh_pages = seen > epoch.fresh_at_end ? seen : epoch.fresh_at_end;
    } else {
        const int result = sharing.tracker.take_census(
            epoch.arena, epoch.scan_buffer, epoch.mappings, epoch.inherited, epoch.own,
            epoch.state.is(State::tracking), &epoch.census);
        if (result != 0) {
            session::write_note(trace::NoteCode::census_failed, -result);
            return;
        }
        if (epoch.census.unknown_pages != 0) {
            session::write_note(trace::NoteCode::memory_reads_as_new, 0);
        }
    }
    write_census_record(kind, epoch.census);
    if (epoch.state.is_classifying()) {
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
    record->epoch = sharing.epoch->number;
    record->padding = 0;
    session::self.writer.commit();
}

uint64_t write_last_account() {
    Epoch& epoch = *sharing.epoch;
    tracker::Census& census = epoch.census;
    uint64_t copied = 0;
    // Where the last census failed nothing tells what was copied.
    if (epoch.state.is_listed() && sharing.tracker.check() != 0) return 0;
    if (epoch.state.is_classifying()) {
        census.clear();
        census.fresh_pages = epoch.fresh_at_end;
        for (const ClassifiedPages::Entry& entry : epoch.classified_pages) {
            if (entry.is_fresh || !epoch.inherited.contains(entry.range.start)) continue;
            census.copied.insert(epoch.arena, entry.range.start, entry.range.end);
        }
        for (const trace::PageRun& run : epoch.earlier.runs()) {
            const bool is_known = epoch.number != 0 ||
                                  census.copied.overlaps(run.start, end_of(run)) ||
                                  !epoch.inherited.contains(run.start);
            if (!is_known) census.copied.insert(epoch.arena, run.start, end_of(run));
        }
    } else if (epoch.state.is(State::sole_owner)) {
        // What it wrote since is its own as before; what is new since is not.
        copied = epoch.copied_when_sole_owner;
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

}  // namespace cowscope::epoch
