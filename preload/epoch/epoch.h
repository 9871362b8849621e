// What this process shares by its forks, and what becomes of it: from one fork to the next is an
// epoch.
//
// The lock of the session (session/session.h) guards all of it.
#pragma once

#include "epoch/judged_pages.h"
#include "runtime/cpython/observer.h"
#include "session/session.h"
#include "support/arena.h"
#include "support/intern_table.h"
#include "support/mappings.h"
#include "support/range_list.h"
#include "tracker/page_look.h"
#include "tracker/tracker.h"
#include "unwind/last_walk.h"
#include "witness/last_events.h"
#include "witness/sampling.h"
#include "witness/trap.h"

namespace cowscope::witness {
struct Fault;
}

namespace cowscope::epoch {

// How the writes of a generation are known.
enum class Stage : uint8_t {
    off,         // not at all
    witnessing,  // only the witness looks; which pages are inherited is not known
    tracking,    // the inherited pages are known and, if possible, protected
};

// What a process needs only once it shares pages with another. Lives in its own arena, which is
// empty in children. Created in zeroed memory, of which little is touched at first: large
// room comes first, what every fault needs stands together at the end.
struct Epoch {
    kernel::PageRegion scan_buffer[tracker::kScanBufferRegions];
    char scratch[Mappings::kScratchBytes];
    // What stands there came, or will come, after the fork that began the generation. Kept while
    // witnessing; then `inherited` knows.
    RangeList<256> renewed;
    alignas(64) unsigned char handler_stack[32 * 1024];

    Arena arena;
    OwnMemory own;
    Mappings mappings;
    tracker::PageRuns inherited;
    tracker::Census census;  // kept only for its memory
    uint32_t generation;
    Stage stage;
    bool is_protected;       // writes to `inherited` show in a census
    bool has_unseen_faults;  // of this generation, while the witness was blind
    // A thread blocks SIGTRAP, or has, so that faults are counted (blocked_threads.cpp).
    bool counts_unseen;
    bool lacks_tracker;     // none was asked for, or none works
    bool lacks_generation;  // the trace does not tell of this one yet
    bool is_before_fork;    // the fork that it follows is still to come
    bool is_alone;          // nobody shares its pages any more: the generation is over
    // Pages to judge one by one before tracking starts; 0: it has, or never will.
    uint32_t pages_before_tracking;
    uint32_t unlisted_given_up;  // ranges that were given up before that
    uint64_t faults_at_start;    // of the generation, by the kernel's count
    uint64_t faults_told;        // by the witness since
    uint64_t pages_at_start;     // of its own, likewise; 0 where it was not asked
    uint64_t frame_page;         // the last page that was found under a signal's frame
    uint64_t copied_when_alone;  // pages, of this generation
    // Pages that are the process's own besides the inherited ones, as list_at_end() found.
    uint64_t fresh_at_end;
    // Inherited pages below this one were found to be nobody else's (alone.cpp).
    uint64_t maybe_shared;
    uint32_t faults_until_asking;

    uint64_t told_copies;    // of this generation: events, by their weight
    uint64_t unseen_before;  // Trap::unseen_faults() when it was counted last
    witness::Sampling sampling;
    uint32_t written_weight;  // of events, as the trace says so far
    InternTable sites;
    witness::LastEvents last_events;
    cpython::Observer* python;  // nullptr before the first event, and without an interpreter
    unwind::LastWalk<trace::kMaxStackDepth> last_walk;
    unwind::StackPages main_stack;
    EarlyPages early_pages;     // while witnessing
    tracker::PageRuns earlier;  // copied before the first look at a forked child
    tracker::PageRuns unseen;   // kept only for its memory
};

// Who else takes this process's signals (support/onlookers.h).
enum class Onlooker : uint8_t { not_asked, none, tracer, valgrind };

// What this process follows its sharing with, in all its epochs, and what it knows of its memory.
struct Sharing {
    tracker::Tracker tracker;
    tracker::PageLook look;
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

// Once in each program, before its first fork (hooks/fork.h, prepare_for_children()): what its
// children then know without asking. The lock is held.
void prepare();

// This process shares its pages (anew): a generation begins. The lock is held.
void begin_generation();
// Other threads write as soon as the kernel has shared the pages, which is some time before the
// fork returns. Where there are any, the generation of the first fork begins before it; those of
// others have a witness already, and what it saw too early the analyzer can tell by the time. The
// lock is held, here and below.
void begin_before_fork();
void go_on_after_fork();

// Lists the inherited pages and protects them: from now on a census tells which were written.
// Leaves out `used`, where the shim itself has written. The lock is held.
void start_tracking(const AddressRange& used);
// Writes which pages are inherited, with which the generation begins if it has not. The lock is
// held.
void write_inherited(trace::Tracker tracker);
// Opens the tracker, or finds that there is none. The lock is held.
bool start_tracker();
// smaps_rollup walks all pages, at up to 100 ns each. Beyond 8 MiB that shows.
inline constexpr uint64_t kWorthMeasuringPages = 2 * 1024;
// The part of the stack that the shim's code around a fork may have written.
AddressRange stack_in_use();
// libcowscope.so as it is mapped.
AddressRange own_image();

// While witnessing: a page was found to be copied or fresh; something comes that the witness would
// not see. Each may start tracking. The lock is held.
void judge_page(uint64_t page, bool is_fresh);
void stop_judging_by_page();
// The program is about to do what the witness would not see. The lock is not held.
void before_unseen_writes();
// A thread is about to block SIGTRAP. The lock is not held.
void before_blocking_trap();
// A generation begins: whether another thread blocks SIGTRAP, whose writes nobody is told of. The
// lock is held, here and below.
bool has_blocked_thread();
// From here on faults are counted that nobody is told of.
void start_counting_unseen();
// Of this generation, what was counted is lost; at most so many copies are not accounted for.
void count_unseen(uint64_t most);

// Takes what is not shared out of `inherited`, which holds all pages that were found present.
void settle_inherited();

// Now and then, after a fault that the witness was told of: where nobody shares the inherited pages
// any more, the generation is over. The lock is held.
void stop_if_alone();

// Sets how many faults the witness is told of, and says so in the trace. The lock is held.
void set_witness_mean(uint32_t mean);
// The next events have this weight; false where that could not be said. The lock is held.
bool write_weight(uint32_t weight);
// The witness was told of a fault, which was recorded or not. In the handler, as the last thing.
void count_fault(bool is_event, const witness::Fault& fault);

// Whether the trace tells of the generation. Where its record found no room, it is tried again
// here: what comes behind would be the last one's. The lock is held.
bool tell_generation();

// Reads and records the mappings as they are now. 0, or -errno: they are what they were before, for
// all that is known (a process may have no /proc, behind chroot). The lock is held.
int read_mappings();

// Lists the inherited pages of a process that ends while witnessing. The lock is held.
void list_at_end();

// The process is about to unmap, move or discard [start, end): what it copied there is recorded.
// The lock is held.
void record_copies(uint64_t start, uint64_t end);

// Finds which pages of [start, end) are inherited and copied: in `census`. The lock is held.
bool find_copies(uint64_t start, uint64_t end);

// mremap has moved [start, end), whose copies find_copies() has just found, or has left it where it
// was but unwatched: `to` is `start` then. The lock is held.
void follow_moved(uint64_t start, uint64_t end, uint64_t to);

// Says what `kind` says of one page: kernel or fresh. The lock is held.
void record_page(trace::CensusKind kind, uint64_t page);

// Another number than before where memory may have been taken away, or made unreadable, since it
// was asked last. Never 0. The lock is held.
uint64_t memory_version();
// The same of what only the program itself takes away, such as the main thread's stack.
inline uint64_t removals_version() {
    return sharing.removals + 1;
}

// [start, end) of a file's mapping will be writable: its pages are inherited like others. The lock
// is held.
void follow_writable(uint64_t start, uint64_t end);

// What comes to [start, end) from now on is not inherited. The lock is held.
// `is_kept`: it stays there, but nobody looks at it any more.
void forget_inherited(uint64_t start, uint64_t end, bool is_kept = false);
// The same of what has come there, or what was there has gone, by a call that was done.
void renew(uint64_t start, uint64_t end);
// Takes the census of the pages that were tracked so far. The lock is held.
void write_census(trace::CensusKind kind);
void write_census_record(trace::CensusKind kind, const tracker::Census& census);
// In a forked child, before anything else: what was copied in it already, in `earlier`.
void find_earlier_copies();
// Says what the process has to itself beside what it copied. The lock is held.
void write_account(uint64_t fresh_pages, uint64_t held_alone_pages);
// The same at its end, behind the last census. Returns the pages that it has to itself in all.
uint64_t write_last_account();

// The process ends, or becomes another program. Safe to call more than once; the last one counts.
void finish(trace::EndKind kind, int value);
// The last census. The lock is held.
void look_last(bool is_exec);
// The shim leaves this process for good. The lock is held.
void close_all();

}  // namespace cowscope::epoch
