// A generation: from a fork of this process, or its start by one, to its next fork or its end.
//
// Most forked children execute another program after a few writes, and most parents write a few
// pages between two forks. Listing and protecting the pages for those would cost more than the fork
// itself. So at first only the witness looks: it judges each fault by the page itself. When it has
// seen enough of them, or something comes that it would not see, tracking starts (track.cpp).

#include <errno.h>

#include "epoch/aggregate.h"
#include "epoch/epoch.h"
#include "format/note_codes.h"
#include "session/session.h"
#include "support/faults.h"
#include "support/onlookers.h"
#include "support/threads.h"
#include "tracker/own_writes.h"
#include "witness/handler.h"
#include "witness/host_signals.h"

#include "support/poison.h"

namespace cowscope::epoch {

// What a fork changes of the shim's data lies in one page: beside session::self, in a section of
// their own.
[[gnu::section("cowscope_forked")]] alignas(4096) constinit Sharing sharing;
constinit KnownMappings known_mappings;
constinit unwind::Walker walker;
constinit RangeList<128> unshared = {};

namespace {

constexpr uint64_t kHugePage = uint64_t{2} << 20;
// A child that only executes another program writes about 20.
constexpr uint32_t kPagesBeforeTracking = 64;
// Faults of which the witness was not told, in one generation: the shim's own are fewer.
constexpr uint64_t kUnseenFaults = 16;
// The top of the handler's stack, and what stands behind it.
constexpr size_t kHotBytes = 20 * 1024;
static_assert(sizeof(Epoch) - offsetof(Epoch, arena) <= 14 * 1024);

bool create_epoch() {
    if (!sharing.arena.is_wiped_by_forks() && !sharing.arena.create()) return false;
    Arena arena = sharing.arena;
    arena.populate(kHotBytes);
    InternTable sites;
    if (!sites.reserve(arena)) return false;
    auto* epoch = arena.create_object<Epoch>();
    if (epoch == nullptr) return false;
    epoch->arena = arena;
    epoch->sites = sites;
    epoch->own = {{arena.start(), arena.end()}, own_image()};
    epoch->mappings.set_own(epoch->own);
    epoch->sampling.start(session::options.sample,
                          sys::monotonic_ns() ^ static_cast<uint64_t>(session::self.pid) << 32);
    epoch->written_weight = session::options.sample == 0 ? 1 : session::options.sample;
    sharing.epoch = epoch;
    return true;
}

// Whether the witness alone can tell copies from other faults, and sees them all. With auto it does
// so while few are seen (start_witness()).
bool can_judge_by_page() {
    return session::options.tracker != session::TrackerChoice::soft_dirty &&
           session::options.sample <= 1 && sharing.look.works();
}

// Debuggers come and go. Where none was at the first fork, none is asked for at those that follow.
bool has_onlookers() {
    Onlooker& onlooker = sharing.onlooker;
    if (onlooker == Onlooker::not_asked) {
        onlooker = is_under_valgrind() ? Onlooker::valgrind
                   : is_traced()       ? Onlooker::tracer
                                       : Onlooker::none;
    } else if (onlooker == Onlooker::tracer && !is_traced()) {
        onlooker = Onlooker::none;
    }
    return onlooker != Onlooker::none;
}

bool start_witness() {
    if (session::options.witness == session::WitnessChoice::off) return false;
    if (has_onlookers()) {
        sharing.trap.close();
        // EBUSY, which the kernel never says here.
        if (!sharing.onlooker_told)
            session::write_note(trace::NoteCode::witness_unavailable, EBUSY);
        sharing.onlooker_told = true;
        return false;
    }
    Epoch& epoch = *sharing.epoch;
    // Until tracking starts it is told of every fault.
    const bool is_exact = can_judge_by_page() && !epoch.lacks_tracker;
    const uint32_t mean = is_exact ? 1 : epoch.sampling.mean();
    if (sharing.trap.is_alive()) {
        set_witness_mean(mean);
        return true;
    }
    sharing.trap.close();
    const int result = witness::handle_trap(witness::on_trap)
                           ? sharing.trap.open(mean, &epoch.sampling, sharing.forks == 0)
                           : -EPERM;
    if (result != 0) session::write_note(trace::NoteCode::witness_unavailable, -result);
    if (const uint32_t unseen = sharing.trap.unseen_threads(); result == 0 && unseen != 0) {
        session::write_note(trace::kThreadsNotWatched, static_cast<int>(unseen));
    }
    return result == 0;
}

void write_generation() {
    auto* record =
        session::self.writer.begin<trace::GenerationRecord>(trace::RecordType::generation);
    sharing.epoch->lacks_generation = record == nullptr;
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->generation = sharing.epoch->generation;
    record->witness = trace::Witness::trap;
    record->padding[0] = record->padding[1] = record->padding[2] = 0;
    session::self.writer.commit();
}

void write_earlier_copies() {
    Epoch& epoch = *sharing.epoch;
    if (epoch.generation != 0 || epoch.earlier.pages() == 0) return;
    epoch.census.clear();
    for (const trace::PageRun& run : epoch.earlier.runs()) {
        const uint64_t end = run.start + run.pages * tracker::kPageBytes;
        epoch.census.copied.append(epoch.arena, run.start, end);
    }
    write_census_record(trace::CensusKind::earlier, epoch.census);
}

// A fresh page may be a huge one.
void widen_early_pages() {
    for (EarlyPages::Entry& entry : sharing.epoch->early_pages) {
        tracker::PageFacts facts;
        if (!entry.is_fresh || !sharing.look.ask(entry.range.start, &facts) || !facts.is_huge) {
            continue;
        }
        const uint64_t start = entry.range.start & ~(kHugePage - 1);
        entry.range = {start, start + kHugePage};
    }
}

// A page of a file comes with content whether the parent had it or not. The mappings are known now,
// and the parent can be asked.
void judge_file_pages_again(tracker::ParentPages* parent) {
    if (sharing.forks != 0) return;
    Epoch& epoch = *sharing.epoch;
    const Mapping* last = nullptr;
    bool parent_wrote_last = false;
    for (EarlyPages::Entry& entry : epoch.early_pages) {
        const uint64_t page = entry.range.start;
        const Mapping* mapping = epoch.mappings.find(page);
        if (entry.is_fresh || mapping == nullptr || !mapping->is_file || mapping->is_hugetlb) {
            continue;
        }
        if (mapping != last) {
            parent_wrote_last = parent->has_private({mapping->start, mapping->end});
            last = mapping;
        }
        if (parent_wrote_last && parent->has(page)) continue;
        entry.is_fresh = true;
        record_page(trace::CensusKind::fresh, page);
    }
}

void start_counting_faults() {
    sharing.epoch->faults_at_start = all_faults();
    sharing.epoch->faults_told = 0;
}

// Faults of which the witness was not told: the kernel's own, on the process's behalf, and a few of
// the shim's.
uint64_t unseen_faults() {
    const Epoch& epoch = *sharing.epoch;
    const uint64_t known = epoch.faults_at_start + epoch.faults_told;
    const uint64_t all = all_faults();
    return all > known ? all - known : 0;
}

// A call inside libc may have had the kernel write to memory, which no one saw.
bool has_unseen_faults() {
    return sharing.epoch->has_unseen_faults || unseen_faults() > kUnseenFaults;
}

// What of a child's nobody else maps it has written: then it is fresh, or was copied unseen where
// the parent has it too. Or it was left alone with what it inherited, by others who copied that or
// gave it up. Who shared with it what it has written may have copied that as well, and been the
// first: that the analyzer can tell, who knows what they wrote.
void settle_unseen(tracker::ParentPages* parent) {
    Epoch& epoch = *sharing.epoch;
    epoch.unseen.clear();
    // What it has written took a fault for each page. Asking takes one where it has not, so of what
    // it was left alone with no more is asked about than it has done itself, or than 20 ms allow.
    constexpr uint64_t kAskedInAnyCase = 16 * 1024;
    constexpr uint64_t kAskedAFault = 4;
    const uint64_t faults = all_faults();
    uint64_t left_to_ask = kAskedInAnyCase;
    if (faults > epoch.faults_at_start) {
        left_to_ask += kAskedAFault * (faults - epoch.faults_at_start);
    }
    tracker::OwnWrites writes(&sharing.look);
    const auto is_kept = [&](uint64_t page, bool is_own) {
        if (epoch.early_pages.is_copied(page)) return true;
        if (is_own) {
            if (left_to_ask == 0) return true;
            --left_to_ask;
            if (!writes.include(page)) return true;
        }
        if (!parent->has(page)) return false;
        if (is_own && !epoch.earlier.contains(page)) {
            epoch.unseen.append(epoch.arena, page, page + tracker::kPageBytes);
        }
        return true;
    };
    sharing.look.remove_unshared(epoch.arena, epoch.scan_buffer, &epoch.inherited,
                                 &epoch.census.copied, is_kept);
    if (epoch.unseen.pages() == 0) return;
    epoch.census.clear();
    for (const trace::PageRun& run : epoch.unseen.runs()) {
        const uint64_t end = run.start + run.pages * tracker::kPageBytes;
        epoch.census.copied.append(epoch.arena, run.start, end);
    }
    write_census_record(trace::CensusKind::unseen, epoch.census);
}

}  // namespace

bool tell_generation() {
    Epoch& epoch = *sharing.epoch;
    if (!epoch.lacks_generation) return true;
    if (epoch.stage == Stage::witnessing) {
        write_generation();
    } else {
        const bool is_tracked = epoch.stage == Stage::tracking;
        write_inherited(is_tracked ? sharing.tracker.kind() : trace::Tracker::off);
    }
    return !epoch.lacks_generation;
}

void prepare() {
    session::self.writer.keep_file();
    session::self.folder.keep();
    if (!create_epoch()) return;
    prepare_counting();
    session::set_executable();
    read_mappings();
    sharing.look.works();
}

void settle_inherited() {
    Epoch& epoch = *sharing.epoch;
    const bool is_child = sharing.forks == 0;
    uint64_t own_pages = epoch.inherited.pages();
    for (const AddressRange& range : unshared) {
        epoch.inherited.remove(epoch.arena, range.start, range.end);
    }
    // A child's are new; others had theirs before the fork.
    if (!is_child) own_pages = epoch.inherited.pages();
    if (epoch.stage != Stage::witnessing) return;
    widen_early_pages();
    tracker::ParentPages& parent = sharing.look.parent();
    judge_file_pages_again(&parent);
    for (const EarlyPages::Entry& entry : epoch.early_pages) {
        if (entry.is_fresh) {
            epoch.inherited.remove(epoch.arena, entry.range.start, entry.range.end);
        }
    }
    for (const AddressRange& range : epoch.renewed) {
        epoch.inherited.remove(epoch.arena, range.start, range.end);
    }
    // What only a parent has may be what its children have copied: its list says what it shared.
    if (is_child && has_unseen_faults()) settle_unseen(&parent);
    epoch.fresh_at_end = own_pages - epoch.inherited.pages();
}

void begin_generation() {
    if (sharing.epoch == nullptr && !create_epoch()) {
        session::write_note(trace::NoteCode::tracker_unavailable, ENOMEM);
        return;
    }
    Epoch& epoch = *sharing.epoch;
    if (epoch.is_protected) {
        write_census(trace::CensusKind::generation);
    } else if (epoch.stage == Stage::witnessing) {
        count_unseen(~uint64_t{0});
    }
    if (sharing.forks != 0) sharing.look.parent().close();
    epoch.is_protected = false;
    epoch.generation = sharing.forks;
    epoch.inherited.clear();
    epoch.early_pages.clear();
    epoch.renewed.clear();
    epoch.frame_page = 0;
    epoch.is_alone = false;
    epoch.maybe_shared = 0;
    epoch.faults_until_asking = 0;
    epoch.stage = Stage::off;
    epoch.lacks_generation = false;
    epoch.has_unseen_faults = false;
    epoch.counts_unseen = false;
    epoch.told_copies = 0;
    epoch.pages_at_start = 0;
    epoch.pages_before_tracking = 0;
    epoch.unlisted_given_up = 0;
    epoch.fresh_at_end = 0;
    epoch.copied_when_alone = 0;
    epoch.lacks_tracker = epoch.lacks_tracker || session::self.is_counting ||
                          session::options.tracker == session::TrackerChoice::off;
    // Now, because the program may give up the rights that it takes.
    if (sharing.look.works()) sharing.look.open();
    if (!epoch.lacks_tracker && sharing.tracker.needs_rights()) start_tracker();
    if (sharing.forks == 0 && !session::self.is_counting) find_earlier_copies();
    const bool is_witnessed = start_witness();
    const bool is_blind = is_witnessed && has_blocked_thread();
    if (is_blind) start_counting_unseen();
    if (session::self.is_counting) {
        if (is_witnessed) epoch.stage = Stage::witnessing;
        return;
    }
    if (!is_witnessed || !can_judge_by_page()) {
        start_tracking(stack_in_use());
        write_earlier_copies();
        return;
    }
    epoch.stage = Stage::witnessing;
    // A fork has just shared all that there is.
    if (epoch.generation <= 1) {
        session::write_known_memory(trace::MemoryMoment::fork, trace::kNotMeasured, 0);
    }
    start_counting_faults();
    epoch.pages_at_start = session::count_own_pages();
    if (!epoch.lacks_tracker) epoch.pages_before_tracking = kPagesBeforeTracking;
    write_generation();
    write_earlier_copies();
    // So that the trace says which tracker there is, though all children be short-lived.
    if (sharing.forks == 1 && !epoch.lacks_tracker) epoch.lacks_tracker = !start_tracker();
    if (sharing.has_ring || is_blind) stop_judging_by_page();
}

void begin_before_fork() {
    Epoch* epoch = sharing.epoch;
    if (epoch == nullptr || epoch->stage != Stage::off || is_only_thread()) return;
    if (session::options.witness == session::WitnessChoice::off || !can_judge_by_page()) return;
    ++sharing.forks;
    if (!start_witness()) {
        --sharing.forks;
        return;
    }
    begin_generation();
    // What is listed now is not what the fork will share.
    epoch->is_before_fork = true;
    epoch->pages_before_tracking = 0;
}

void go_on_after_fork() {
    Epoch& epoch = *sharing.epoch;
    epoch.is_before_fork = false;
    epoch.renewed.clear();
    if (epoch.stage != Stage::witnessing || epoch.lacks_tracker) return;
    start_counting_faults();
    epoch.pages_before_tracking = kPagesBeforeTracking;
    if (epoch.early_pages.is_full() || epoch.counts_unseen) stop_judging_by_page();
}

void judge_page(uint64_t page, bool is_fresh) {
    Epoch& epoch = *sharing.epoch;
    epoch.early_pages.add(page, is_fresh);
    if (epoch.pages_before_tracking == 0) return;
    if (--epoch.pages_before_tracking == 0 || epoch.early_pages.is_full()) {
        start_tracking(stack_in_use());
    }
}

void stop_judging_by_page() {
    const Epoch* epoch = sharing.epoch;
    if (epoch != nullptr && epoch->pages_before_tracking != 0) {
        start_tracking(stack_in_use());
    }
}

void before_unseen_writes() {
    // Most programs never fork: for them this is one comparison.
    if (sharing.epoch == nullptr || sharing.epoch->stage != Stage::witnessing) return;
    if (!session::is_current()) return;
    const session::Locked locked;
    stop_judging_by_page();
}

void before_blocking_trap() {
    const Epoch* epoch = sharing.epoch;
    if (epoch == nullptr || epoch->stage == Stage::off) return;
    // Some programs block all signals again and again.
    if (epoch->stage == Stage::tracking && epoch->counts_unseen) return;
    if (!session::is_current()) return;
    const session::Locked locked;
    stop_judging_by_page();
    start_counting_unseen();
}

}  // namespace cowscope::epoch
