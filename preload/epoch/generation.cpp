// A generation: from a fork of this process, or its start by one, to its next fork or its end.
//
// Most forked children execute another program after a few writes, and most parents write a few
// pages between two forks. Listing and protecting the pages for those would cost more than the fork
// itself. So at first only the witness looks: it judges each fault by the page itself. When it has
// seen enough of them, or something comes that it would not see, tracking starts (track.cpp).

#include <errno.h>

#include "epoch/counting.h"
#include "epoch/onlookers.h"
#include "epoch/process.h"
#include "format/note_codes.h"
#include "hooks/signals.h"
#include "support/threads.h"
#include "tracker/own_writes.h"
#include "witness/handler.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

constexpr uint64_t kHugePage = uint64_t{2} << 20;
// A child that only executes another program writes about 20.
constexpr uint32_t kPagesBeforeTracking = 64;
// Faults of which the witness was not told, in one generation: the shim's own are fewer.
constexpr uint64_t kUnseenFaults = 16;
// The top of the handler's stack, and what stands behind it.
constexpr size_t kHotBytes = 20 * 1024;
static_assert(sizeof(Tracked) - offsetof(Tracked, arena) <= 14 * 1024);

bool create_tracked() {
    if (!process.arena.is_wiped_by_forks() && !process.arena.create()) return false;
    Arena arena = process.arena;
    arena.populate(kHotBytes);
    InternTable sites;
    if (!sites.reserve(arena)) return false;
    auto* tracked = arena.create_object<Tracked>();
    if (tracked == nullptr) return false;
    tracked->arena = arena;
    tracked->sites = sites;
    tracked->own = {{arena.start(), arena.end()}, own_image()};
    tracked->mappings.set_own(tracked->own);
    tracked->sampling.start(process.options.sample,
                            sys::monotonic_ns() ^ static_cast<uint64_t>(process.pid) << 32);
    tracked->written_weight = process.options.sample == 0 ? 1 : process.options.sample;
    process.tracked = tracked;
    return true;
}

// Whether the witness alone can tell copies from other faults, and sees them all. With auto it does
// so while few are seen (start_witness()).
bool can_judge_by_page() {
    return process.options.tracker != session::TrackerChoice::soft_dirty && process.options.sample <= 1 &&
           process.look.works();
}

// Debuggers come and go. Where none was at the first fork, none is asked for at those that follow.
bool has_onlookers() {
    Onlooker& onlooker = process.onlooker;
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
    if (process.options.witness == session::WitnessChoice::off) return false;
    if (has_onlookers()) {
        process.trap.close();
        // EBUSY, which the kernel never says here.
        if (!process.onlooker_told) write_note(trace::NoteCode::witness_unavailable, EBUSY);
        process.onlooker_told = true;
        return false;
    }
    Tracked& tracked = *process.tracked;
    // Until tracking starts it is told of every fault.
    const bool is_exact = can_judge_by_page() && !tracked.lacks_tracker;
    const uint32_t mean = is_exact ? 1 : tracked.sampling.mean();
    if (process.trap.is_alive()) {
        set_witness_mean(mean);
        return true;
    }
    process.trap.close();
    const int result = handle_trap(witness::on_trap)
                           ? process.trap.open(mean, &tracked.sampling, process.forks == 0)
                           : -EPERM;
    if (result != 0) write_note(trace::NoteCode::witness_unavailable, -result);
    if (const uint32_t unseen = process.trap.unseen_threads(); result == 0 && unseen != 0) {
        write_note(trace::kThreadsNotWatched, static_cast<int>(unseen));
    }
    return result == 0;
}

void write_generation() {
    auto* record = process.writer.begin<trace::GenerationRecord>(trace::RecordType::generation);
    process.tracked->lacks_generation = record == nullptr;
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->generation = process.tracked->generation;
    record->witness = trace::Witness::trap;
    record->padding[0] = record->padding[1] = record->padding[2] = 0;
    process.writer.commit();
}

void write_earlier_copies() {
    Tracked& tracked = *process.tracked;
    if (tracked.generation != 0 || tracked.earlier.pages() == 0) return;
    tracked.census.clear();
    for (const trace::PageRun& run : tracked.earlier.runs()) {
        const uint64_t end = run.start + run.pages * tracker::kPageBytes;
        tracked.census.copied.append(tracked.arena, run.start, end);
    }
    write_census_record(trace::CensusKind::earlier, tracked.census);
}

// A fresh page may be a huge one.
void widen_early_pages() {
    for (EarlyPages::Entry& entry : process.tracked->early_pages) {
        tracker::PageFacts facts;
        if (!entry.is_fresh || !process.look.ask(entry.range.start, &facts) || !facts.is_huge) {
            continue;
        }
        const uint64_t start = entry.range.start & ~(kHugePage - 1);
        entry.range = {start, start + kHugePage};
    }
}

// A page of a file comes with content whether the parent had it or not. The mappings are known now,
// and the parent can be asked.
void judge_file_pages_again(tracker::ParentPages* parent) {
    if (process.forks != 0) return;
    Tracked& tracked = *process.tracked;
    const Mapping* last = nullptr;
    bool parent_wrote_last = false;
    for (EarlyPages::Entry& entry : tracked.early_pages) {
        const uint64_t page = entry.range.start;
        const Mapping* mapping = tracked.mappings.find(page);
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
    process.tracked->faults_at_start = all_faults();
    process.tracked->faults_told = 0;
}

// Faults of which the witness was not told: the kernel's own, on the process's behalf, and a few of
// the shim's.
uint64_t unseen_faults() {
    const Tracked& tracked = *process.tracked;
    const uint64_t known = tracked.faults_at_start + tracked.faults_told;
    const uint64_t all = all_faults();
    return all > known ? all - known : 0;
}

// A call inside libc may have had the kernel write to memory, which no one saw.
bool has_unseen_faults() {
    return process.tracked->has_unseen_faults || unseen_faults() > kUnseenFaults;
}

// What of a child's nobody else maps it has written: then it is fresh, or was copied unseen where
// the parent has it too. Or it was left alone with what it inherited, by others who copied that or
// gave it up. Who shared with it what it has written may have copied that as well, and been the
// first: that the analyzer can tell, who knows what they wrote.
void settle_unseen(tracker::ParentPages* parent) {
    Tracked& tracked = *process.tracked;
    tracked.unseen.clear();
    // What it has written took a fault for each page. Asking takes one where it has not, so of what
    // it was left alone with no more is asked about than it has done itself, or than 20 ms allow.
    constexpr uint64_t kAskedInAnyCase = 16 * 1024;
    constexpr uint64_t kAskedAFault = 4;
    const uint64_t faults = all_faults();
    uint64_t left_to_ask = kAskedInAnyCase;
    if (faults > tracked.faults_at_start) {
        left_to_ask += kAskedAFault * (faults - tracked.faults_at_start);
    }
    tracker::OwnWrites writes(&process.look);
    const auto is_kept = [&](uint64_t page, bool is_own) {
        if (tracked.early_pages.is_copied(page)) return true;
        if (is_own) {
            if (left_to_ask == 0) return true;
            --left_to_ask;
            if (!writes.include(page)) return true;
        }
        if (!parent->has(page)) return false;
        if (is_own && !tracked.earlier.contains(page)) {
            tracked.unseen.append(tracked.arena, page, page + tracker::kPageBytes);
        }
        return true;
    };
    process.look.remove_unshared(tracked.arena, tracked.scan_buffer, &tracked.inherited,
                                 &tracked.census.copied, is_kept);
    if (tracked.unseen.pages() == 0) return;
    tracked.census.clear();
    for (const trace::PageRun& run : tracked.unseen.runs()) {
        const uint64_t end = run.start + run.pages * tracker::kPageBytes;
        tracked.census.copied.append(tracked.arena, run.start, end);
    }
    write_census_record(trace::CensusKind::unseen, tracked.census);
}

}  // namespace

bool tell_generation() {
    Tracked& tracked = *process.tracked;
    if (!tracked.lacks_generation) return true;
    if (tracked.stage == Stage::witnessing) {
        write_generation();
    } else {
        const bool is_tracked = tracked.stage == Stage::tracking;
        write_inherited(is_tracked ? process.tracker.kind() : trace::Tracker::off);
    }
    return !tracked.lacks_generation;
}

void prepare_for_children() {
    // Before the first fork, never while one may be under way: a child gets its actions and its
    // memory one after the other (kernel/fork.c, copy_process()), and one that has got the old
    // actions with the new memory believes that its signals are handled.
    if (process.options.witness != session::WitnessChoice::off) handle_trap(witness::on_trap);
    handle_default_ends();
    if (is_killed_by_filter()) {
        write_note(trace::NoteCode::sandboxed, 0);
        close_all();
        return;
    }
    process.writer.keep_file();
    process.folder.keep();
    if (!create_tracked()) return;
    prepare_counting();
    set_executable();
    read_mappings();
    process.look.works();
}

uint64_t all_faults() {
    struct rusage usage;
    if (sys::syscall2(SYS_getrusage, RUSAGE_SELF, sys::word(&usage)) != 0) return 0;
    return static_cast<uint64_t>(usage.ru_minflt) + static_cast<uint64_t>(usage.ru_majflt);
}

void settle_inherited() {
    Tracked& tracked = *process.tracked;
    const bool is_child = process.forks == 0;
    uint64_t own_pages = tracked.inherited.pages();
    for (const AddressRange& range : process.unshared) {
        tracked.inherited.remove(tracked.arena, range.start, range.end);
    }
    // A child's are new; others had theirs before the fork.
    if (!is_child) own_pages = tracked.inherited.pages();
    if (tracked.stage != Stage::witnessing) return;
    widen_early_pages();
    tracker::ParentPages& parent = process.look.parent();
    judge_file_pages_again(&parent);
    for (const EarlyPages::Entry& entry : tracked.early_pages) {
        if (entry.is_fresh) {
            tracked.inherited.remove(tracked.arena, entry.range.start, entry.range.end);
        }
    }
    for (const AddressRange& range : tracked.renewed) {
        tracked.inherited.remove(tracked.arena, range.start, range.end);
    }
    // What only a parent has may be what its children have copied: its list says what it shared.
    if (is_child && has_unseen_faults()) settle_unseen(&parent);
    tracked.fresh_at_end = own_pages - tracked.inherited.pages();
}

void begin_generation() {
    if (process.tracked == nullptr && !create_tracked()) {
        write_note(trace::NoteCode::tracker_unavailable, ENOMEM);
        return;
    }
    Tracked& tracked = *process.tracked;
    if (tracked.is_protected) {
        write_census(trace::CensusKind::generation);
    } else if (tracked.stage == Stage::witnessing) {
        count_unseen(~uint64_t{0});
    }
    if (process.forks != 0) process.look.parent().close();
    tracked.is_protected = false;
    tracked.generation = process.forks;
    tracked.inherited.clear();
    tracked.early_pages.clear();
    tracked.renewed.clear();
    tracked.frame_page = 0;
    tracked.is_alone = false;
    tracked.maybe_shared = 0;
    tracked.faults_until_asking = 0;
    tracked.stage = Stage::off;
    tracked.lacks_generation = false;
    tracked.has_unseen_faults = false;
    tracked.counts_unseen = false;
    tracked.told_copies = 0;
    tracked.pages_at_start = 0;
    tracked.pages_before_tracking = 0;
    tracked.unlisted_given_up = 0;
    tracked.fresh_at_end = 0;
    tracked.copied_when_alone = 0;
    tracked.lacks_tracker = tracked.lacks_tracker || process.is_counting ||
                            process.options.tracker == session::TrackerChoice::off;
    // Now, because the program may give up the rights that it takes.
    if (process.look.works()) process.look.open();
    if (!tracked.lacks_tracker && process.tracker.needs_rights()) start_tracker();
    if (process.forks == 0 && !process.is_counting) find_earlier_copies();
    const bool is_witnessed = start_witness();
    const bool is_blind = is_witnessed && has_blocked_thread();
    if (is_blind) start_counting_unseen();
    if (process.is_counting) {
        if (is_witnessed) tracked.stage = Stage::witnessing;
        return;
    }
    if (!is_witnessed || !can_judge_by_page()) {
        start_tracking(stack_in_use());
        write_earlier_copies();
        return;
    }
    tracked.stage = Stage::witnessing;
    // A fork has just shared all that there is.
    if (tracked.generation <= 1) {
        write_known_memory(trace::MemoryMoment::fork, trace::kNotMeasured, 0);
    }
    start_counting_faults();
    tracked.pages_at_start = count_own_pages();
    if (!tracked.lacks_tracker) tracked.pages_before_tracking = kPagesBeforeTracking;
    write_generation();
    write_earlier_copies();
    // So that the trace says which tracker there is, though all children be short-lived.
    if (process.forks == 1 && !tracked.lacks_tracker) tracked.lacks_tracker = !start_tracker();
    if (process.has_ring || is_blind) stop_judging_by_page();
}

void begin_before_fork() {
    Tracked* tracked = process.tracked;
    if (tracked == nullptr || tracked->stage != Stage::off || is_only_thread()) return;
    if (process.options.witness == session::WitnessChoice::off || !can_judge_by_page()) return;
    ++process.forks;
    if (!start_witness()) {
        --process.forks;
        return;
    }
    begin_generation();
    // What is listed now is not what the fork will share.
    tracked->is_before_fork = true;
    tracked->pages_before_tracking = 0;
}

void go_on_after_fork() {
    Tracked& tracked = *process.tracked;
    tracked.is_before_fork = false;
    tracked.renewed.clear();
    if (tracked.stage != Stage::witnessing || tracked.lacks_tracker) return;
    start_counting_faults();
    tracked.pages_before_tracking = kPagesBeforeTracking;
    if (tracked.early_pages.is_full() || tracked.counts_unseen) stop_judging_by_page();
}

void judge_page(uint64_t page, bool is_fresh) {
    Tracked& tracked = *process.tracked;
    tracked.early_pages.add(page, is_fresh);
    if (tracked.pages_before_tracking == 0) return;
    if (--tracked.pages_before_tracking == 0 || tracked.early_pages.is_full()) {
        start_tracking(stack_in_use());
    }
}

void stop_judging_by_page() {
    const Tracked* tracked = process.tracked;
    if (tracked != nullptr && tracked->pages_before_tracking != 0) {
        start_tracking(stack_in_use());
    }
}

void before_unseen_writes() {
    // Most programs never fork: for them this is one comparison.
    if (process.tracked == nullptr || process.tracked->stage != Stage::witnessing) return;
    if (!is_current()) return;
    const Locked locked;
    stop_judging_by_page();
}

void before_blocking_trap() {
    const Tracked* tracked = process.tracked;
    if (tracked == nullptr || tracked->stage == Stage::off) return;
    // Some programs block all signals again and again.
    if (tracked->stage == Stage::tracking && tracked->counts_unseen) return;
    if (!is_current()) return;
    const Locked locked;
    stop_judging_by_page();
    start_counting_unseen();
}

}  // namespace cowscope::process
