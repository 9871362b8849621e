#include "epoch/begin.h"

#include <errno.h>

#include "arch/cpu.h"
#include "epoch/aggregate.h"
#include "epoch/blocked_threads.h"
#include "epoch/census.h"
#include "epoch/classify.h"
#include "epoch/earlier_copies.h"
#include "epoch/epoch.h"
#include "epoch/sample.h"
#include "epoch/track.h"
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
[[gnu::section("cowscope_forked")]] alignas(cpu::kPageBytes) constinit Sharing sharing;
constinit KnownMappings known_mappings;
constinit unwind::Walker walker;
constinit RangeList<128> unshared = {};

namespace {

// A child that only executes another program writes about 20.
constexpr uint32_t kPagesToClassify = 64;
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
bool can_classify_by_page() {
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
    const bool is_exact = can_classify_by_page() && !epoch.lacks_tracker;
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
        session::write_note(trace::NoteCode::threads_not_watched, static_cast<int>(unseen));
    }
    return result == 0;
}

void write_epoch() {
    auto* record = session::self.writer.begin<trace::EpochRecord>(trace::RecordType::epoch);
    sharing.epoch->is_untold = record == nullptr;
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->epoch = sharing.epoch->number;
    record->witness = trace::Witness::trap;
    record->padding[0] = record->padding[1] = record->padding[2] = 0;
    session::self.writer.commit();
}

void write_earlier_copies() {
    Epoch& epoch = *sharing.epoch;
    if (epoch.number != 0 || epoch.earlier.pages() == 0) return;
    epoch.census.clear();
    for (const trace::PageRun& run : epoch.earlier.runs()) {
        const uint64_t end = run.start + run.pages * cpu::kPageBytes;
        epoch.census.copied.append(epoch.arena, run.start, end);
    }
    write_census_record(trace::CensusKind::earlier, epoch.census);
}

void start_counting_faults() {
    sharing.epoch->faults_at_start = all_faults();
    sharing.epoch->faults_told = 0;
}

}  // namespace

bool tell_epoch() {
    Epoch& epoch = *sharing.epoch;
    if (!epoch.is_untold) return true;
    if (epoch.state.is_classifying()) {
        write_epoch();
    } else {
        const bool is_tracked = epoch.state.is_listed();
        write_inherited(is_tracked ? sharing.tracker.kind() : trace::Tracker::off);
    }
    return !epoch.is_untold;
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

void begin() {
    if (sharing.epoch == nullptr && !create_epoch()) {
        session::write_note(trace::NoteCode::tracker_unavailable, ENOMEM);
        return;
    }
    Epoch& epoch = *sharing.epoch;
    if (epoch.state.is(State::tracking)) {
        write_census(trace::CensusKind::epoch);
    } else if (epoch.state.is_classifying()) {
        count_unseen(~uint64_t{0});
    }
    if (sharing.forks != 0) sharing.look.parent().close();
    epoch.number = sharing.forks;
    epoch.inherited.clear();
    epoch.classified_pages.clear();
    epoch.renewed.clear();
    epoch.frame_page = 0;
    epoch.maybe_shared = 0;
    epoch.faults_before_asking = 0;
    epoch.state.begin();
    epoch.is_untold = false;
    epoch.has_unseen_faults = false;
    epoch.counts_unseen = false;
    epoch.told_copies = 0;
    epoch.pages_at_start = 0;
    epoch.pages_to_classify = 0;
    epoch.discards_before_list = 0;
    epoch.fresh_at_end = 0;
    epoch.copied_when_sole_owner = 0;
    epoch.lacks_tracker = epoch.lacks_tracker || session::self.is_counting ||
                          session::options.tracker == session::TrackerChoice::off;
    // Now, because the program may give up the rights that it takes.
    if (sharing.look.works()) sharing.look.open();
    if (!epoch.lacks_tracker && sharing.tracker.needs_rights()) start_tracker();
    if (sharing.forks == 0 && !session::self.is_counting) find_earlier_copies();
    const bool is_witnessed = start_witness();
    const bool has_blocked = is_witnessed && has_blocked_thread();
    if (has_blocked) start_counting_unseen();
    if (session::self.is_counting) {
        epoch.state.count(is_witnessed);
        return;
    }
    if (!is_witnessed || !can_classify_by_page()) {
        start_tracking(stack_in_use());
        write_earlier_copies();
        return;
    }
    epoch.state.witness();
    // A fork has just shared all that there is.
    if (epoch.number <= 1) {
        session::write_known_memory(trace::MemoryMoment::fork, trace::kNotMeasured, 0);
    }
    start_counting_faults();
    epoch.pages_at_start = session::count_own_pages();
    if (!epoch.lacks_tracker) epoch.pages_to_classify = kPagesToClassify;
    write_epoch();
    write_earlier_copies();
    // So that the trace says which tracker there is, though all children be short-lived.
    if (sharing.forks == 1 && !epoch.lacks_tracker) epoch.lacks_tracker = !start_tracker();
    if (sharing.has_ring || has_blocked) stop_classifying();
}

void begin_before_fork() {
    Epoch* epoch = sharing.epoch;
    if (epoch == nullptr || epoch->state.is_watching() || is_only_thread()) return;
    if (session::options.witness == session::WitnessChoice::off || !can_classify_by_page()) return;
    ++sharing.forks;
    if (!start_witness()) {
        --sharing.forks;
        return;
    }
    begin();
    // What is listed now is not what the fork will share.
    epoch->is_before_fork = true;
    epoch->pages_to_classify = 0;
}

void go_on_after_fork() {
    Epoch& epoch = *sharing.epoch;
    epoch.is_before_fork = false;
    epoch.renewed.clear();
    if (!epoch.state.is(State::witnessing) || epoch.lacks_tracker) return;
    start_counting_faults();
    epoch.pages_to_classify = kPagesToClassify;
    if (epoch.classified_pages.is_full() || epoch.counts_unseen) stop_classifying();
}

}  // namespace cowscope::epoch
