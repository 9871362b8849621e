#include "epoch/memory_changes.h"

#include "arch/cpu.h"
#include "epoch/aggregate.h"
#include "epoch/census.h"
#include "epoch/classify.h"
#include "session/run_records.h"
#include "support/threads.h"

#include "support/poison.h"

// libc's own word: the break as its brk(2) calls have left it, those of malloc's among them
// (sysdeps/unix/sysv/linux/brk.c in glibc, and since 2.2.5 in its interface).
extern "C" void* __curbrk __attribute__((weak));

namespace cowscope::epoch {
namespace {

uint64_t end_of(const trace::PageRun& run) {
    return run.start + run.pages * cpu::kPageBytes;
}

}  // namespace

// What libc takes away without coming by here: the end of the heap, by the break; the heaps of
// other threads, which there are none of without them; and large blocks, which nobody asks this
// about: what may be a stack is asked for each time (by runtime/).
uint64_t memory_version() {
    const uint64_t now =
        &__curbrk != nullptr ? reinterpret_cast<uint64_t>(__curbrk) : sys::current_break();
    if (now != sharing.last_break || !is_only_thread()) ++sharing.unseen_removals;
    sharing.last_break = now;
    return removals_version() + sharing.unseen_removals;
}

bool find_copies(uint64_t start, uint64_t end) {
    Epoch& epoch = *sharing.epoch;
    epoch.census.clear();
    return epoch.state.is(State::tracking) && epoch.inherited.overlaps(start, end) &&
           sharing.tracker.take_census_of(epoch.arena, epoch.scan_buffer, {start, end},
                                          epoch.inherited, epoch.own, &epoch.census) == 0;
}

void record_copies(uint64_t start, uint64_t end) {
    const tracker::Census& census = sharing.epoch->census;
    if (find_copies(start, end) && census.copied.pages() != 0) {
        write_census_record(trace::CensusKind::discarded, census);
    }
}

void follow_moved(uint64_t start, uint64_t end, uint64_t to) {
    Epoch& epoch = *sharing.epoch;
    const uint64_t offset = to - start;  // modulo 2^64
    const AddressRange target = {to, end + offset};
    if (sharing.tracker.watch_moved(epoch.scan_buffer, target) != 0) {
        // What was copied is known; the rest is new where it stands, and the witness sees it.
        if (epoch.census.copied.pages() != 0) {
            write_census_record(trace::CensusKind::discarded, epoch.census);
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
    epoch.census.copied.append(epoch.arena, page, page + cpu::kPageBytes);
    write_census_record(kind, epoch.census);
}

void renew(uint64_t start, uint64_t end) {
    Epoch& epoch = *sharing.epoch;
    if (!epoch.state.is_classifying()) return;
    // Without room only the inherited pages themselves tell.
    if (!epoch.renewed.add(start, end)) stop_classifying();
}

void forget_inherited(uint64_t start, uint64_t end, bool is_kept) {
    Epoch& epoch = *sharing.epoch;
    epoch.classified_pages.forget(start, end);
    if (epoch.state.is_classifying()) {
        // Memory that came since the fork is none of what it shared. Whoever gives more up than
        // this tells it by its list.
        constexpr uint32_t kMostBeforeList = 256;
        const bool is_new = epoch.renewed.has(start) && epoch.renewed.has(end - 1);
        const bool may_be_inherited =
            !session::self.is_counting && epoch.discards_before_list < kMostBeforeList && !is_new;
        if (!may_be_inherited) return;
        ++epoch.discards_before_list;
    } else if (!epoch.inherited.overlaps(start, end)) {
        return;
    }
    // Who scans from outside must know before the kernel does it.
    if (auto* record =
            session::self.writer.begin<trace::DiscardedRecord>(trace::RecordType::discarded)) {
        if (is_kept) record->header.flags |= trace::kIsKept;
        record->range = session::page_run({start, end});
        record->time_ns = sys::monotonic_ns();
        session::self.writer.commit();
    }
    epoch.inherited.remove(epoch.arena, start, end);
}

}  // namespace cowscope::epoch
