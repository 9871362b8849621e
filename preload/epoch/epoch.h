// What this process shares by its forks, and what becomes of it: from one fork to the next is an
// epoch.
//
// The lock of the session (session/session.h) guards all of it.
#pragma once

#include "epoch/classified_pages.h"
#include "epoch/state.h"
#include "runtime/active.h"
#include "session/session.h"
#include "support/arena.h"
#include "support/intern_table.h"
#include "support/mappings.h"
#include "support/range_list.h"
#include "tracker/own_pages.h"
#include "tracker/tracker.h"
#include "unwind/last_walk.h"
#include "witness/last_events.h"
#include "witness/sampling.h"
#include "witness/trap.h"

namespace cowscope::witness {
struct Fault;
}

namespace cowscope::epoch {

// What a process needs only once it shares pages with another. Lives in its own arena, which is
// empty in children. Created in zeroed memory, of which little is touched at first: large
// room comes first, what every fault needs stands together at the end.
struct Epoch {
    kernel::PageRegion scan_buffer[tracker::kScanBufferRegions];
    char scratch[Mappings::kScratchBytes];
    // What stands there came, or will come, after the fork that began the epoch. Kept while
    // witnessing; then `inherited` knows.
    RangeList<256> renewed;
    alignas(64) unsigned char handler_stack[32 * 1024];

    Arena arena;
    OwnMemory own;
    Mappings mappings;
    tracker::PageRuns inherited;
    tracker::Census census;  // kept only for its memory
    uint32_t number;         // 0: from the fork that made this process; n: from its n-th own
    State state;
    bool has_unseen_faults;  // of this epoch, while the witness was blind
    // A thread blocks SIGTRAP, or has, so that faults are counted (blocked_threads.cpp).
    bool counts_unseen;
    bool lacks_tracker;   // none was asked for, or none works
    bool is_untold;       // the trace does not tell of this one yet
    bool is_before_fork;  // the fork that it follows is still to come
    // Pages to judge one by one before tracking starts; 0: it has, or never will.
    uint32_t pages_to_classify;
    uint32_t discards_before_list;    // ranges that were given up before that
    uint64_t faults_at_start;         // of the epoch, by the kernel's count
    uint64_t faults_told;             // by the witness since
    uint64_t pages_at_start;          // of its own, likewise; 0 where it was not asked
    uint64_t frame_page;              // the last page that was found under a signal's frame
    uint64_t copied_when_sole_owner;  // pages, of this epoch
    // Pages that are the process's own besides the inherited ones, as list_at_end() found.
    uint64_t fresh_at_end;
    // Inherited pages below this one were found to be nobody else's (epoch/sole_owner.cpp).
    uint64_t maybe_shared;
    uint32_t faults_before_asking;

    uint64_t told_copies;    // of this epoch: events, by their weight
    uint64_t unseen_before;  // Trap::unseen_faults() when it was counted last
    witness::Sampling sampling;
    uint32_t written_weight;  // of events, as the trace says so far
    InternTable sites;
    witness::LastEvents last_events;
    runtime::Observer runtime;
    unwind::LastWalk<trace::kMaxStackDepth> last_walk;
    unwind::StackPages main_stack;
    ClassifiedPages classified_pages;  // while witnessing
    tracker::PageRuns earlier;         // copied before the first look at a forked child
    tracker::PageRuns unseen;          // kept only for its memory
};

// Who else takes this process's signals (support/onlookers.h).
enum class Onlooker : uint8_t { not_asked, none, tracer, valgrind };

// What this process follows its sharing with, in all its epochs, and what it knows of its memory.
struct Sharing {
    tracker::Tracker tracker;
    tracker::OwnPages look;
    witness::Trap trap;
    Arena arena;             // as it was before anything was allocated from it
    Epoch* epoch = nullptr;  // the one that is; nullptr before the first
    uint32_t forks = 0;      // of this process, or one more: see begin_before_fork()
    uint32_t forks_under_way = 0;
    // Of a forked child, before the shim's first call in it did anything.
    uint64_t faults_at_entry = 0;
    uint64_t removals = 0;         // of memory, that came by here
    uint64_t unseen_removals = 0;  // or may have been, without coming by here
    // The mappings that this process, or one that it comes from, has told, and those that are in
    // known_mappings: hashes of their text.
    uint64_t told_mappings = 0;
    uint64_t taken_mappings = 0;
    uint64_t last_break = 0;
    // Threads may block SIGTRAP: they are asked at each fork. The one that did when last asked.
    bool asks_threads = true;
    pid_t blocked_tid = 0;
    Onlooker onlooker = Onlooker::not_asked;
    bool onlooker_told = false;  // in this segment
    // The program has an io_uring: the kernel may write to its memory at any time.
    bool has_ring = false;
};

// What every fork changes (session::self).
extern Sharing sharing;

// Memory that this process keeps from its children (MADV_DONTFORK, MADV_WIPEONFORK): it is not
// shared by a fork, so writing to it copies nothing. Programs have a handful (the shim has three);
// more are forgotten, and counted as shared.
extern RangeList<128> unshared;

// Zero at first, so that they are no part of the file, and read by forked children as the parent
// left them.
extern KnownMappings known_mappings;
extern unwind::Walker walker;

}  // namespace cowscope::epoch
