// The process that the shim is in: the state behind every hook, and what happens to it at the
// moments that matter (start, fork, exec, end).
//
// Locking contract: `lock` is taken with all signals of the thread blocked (support/spin_lock.h)
// and guards everything here but `pid`. Every hook first compares `pid` with getpid(): where they
// differ, this is a child that nobody announced (vfork, a raw clone), which is left alone.
#pragma once

#include "cpython/types.h"
#include "process/mappings.h"
#include "process/options.h"
#include "segment/writer.h"
#include "support/arena.h"
#include "support/spin_lock.h"
#include "tracker/tracker.h"
#include "unwind/walker.h"
#include "witness/intern_table.h"
#include "witness/trap.h"

namespace cowscope::process {

// What a process needs only once it shares pages with another. Lives in its own arena, which
// children do not inherit.
struct Tracked {
    Arena arena;
    tracker::OwnMemory own;
    Mappings mappings;
    tracker::PageRuns inherited;
    tracker::Census census;  // kept only for its memory
    uint32_t generation = 0;
    bool watching = false;      // `inherited` is known
    bool is_protected = false;  // writes to it show in a census
    // Faults to witness before it is worth to protect; see protect_when_worth_it().
    uint32_t faults_before_protecting = 0;

    unwind::Walker walker;
    witness::InternTable sites;
    cpython::TypeCache types;
    uint64_t ips[trace::kMaxStackDepth];

    tracker::PageRegion scan_buffer[tracker::kScanBufferRegions];
    char scratch[Mappings::kScratchBytes];
    alignas(64) unsigned char handler_stack[32 * 1024];
};

// Memory that this process keeps from its children (MADV_DONTFORK, MADV_WIPEONFORK): it is not
// shared by a fork, so writing to it copies nothing.
class UnsharedRanges {
  public:
    void add(uint64_t start, uint64_t end) {
        remove(start, end);
        if (count_ < kCapacity) ranges_[count_++] = {start, end};
    }
    void remove(uint64_t start, uint64_t end);
    const tracker::AddressRange* begin() const { return ranges_; }
    const tracker::AddressRange* end() const { return ranges_ + count_; }

  private:
    // Programs have a handful (the shim has three); more are forgotten, and counted as shared.
    static constexpr size_t kCapacity = 128;

    tracker::AddressRange ranges_[kCapacity] = {};
    size_t count_ = 0;
};

struct Process {
    SpinLock lock;
    pid_t pid = 0;  // 0: the shim stands back
    Options options;
    segment::Writer writer;
    tracker::Tracker tracker;
    witness::Trap trap;
    Tracked* tracked = nullptr;
    uint32_t forks = 0;
    UnsharedRanges unshared;
    int quick_exit_status = 0;
    char** environment = nullptr;
};

extern Process process;

// Whether this is the process that `process` describes.
inline bool is_current() {
    return process.pid != 0 && process.pid == sys::getpid();
}

// Gives this thread its signal mask back. Before that it discards the witness's signals that the
// shim's own writes left pending while it had SIGTRAP blocked; where the mask blocks SIGTRAP too,
// what is pending may be the program's and stays, to be counted as lost.
void restore_signal_mask(sys::SignalMask mask);

// Blocks signals and takes the lock for a scope.
class Locked {
  public:
    Locked() : mask_(sys::set_signal_mask(sys::kAllSignals)) { process.lock.lock(); }
    ~Locked() {
        process.lock.unlock();
        restore_signal_mask(mask_);
    }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

  private:
    sys::SignalMask mask_;
};

// Opens the segment of this process and writes who it is. False: the shim stands back.
bool open_segment(trace::Role role, pid_t parent, uint64_t start_ns);

// Behind every fork that the shim sees.
void after_fork_in_parent();
void after_fork_in_child();

// Starts (or, after a further fork, starts anew) to track this process. The lock is held.
void track();

// Reads and records the mappings as they are now. The lock is held.
void read_mappings();

// The process is about to unmap, move or discard [start, end): what it copied there is recorded.
// The lock is held.
void record_copies(uint64_t start, uint64_t end);

// What comes to [start, end) from now on is not inherited. The lock is held.
void forget_inherited(uint64_t start, uint64_t end);

// Counts a witnessed fault, and protects the inherited pages when enough of them were seen. The
// lock is held.
void protect_when_worth_it();

// The kernel is about to write into the program's memory: its writes show only on protected pages.
void before_kernel_writes();

// Takes the census of the pages that were tracked so far. The lock is held.
void write_census(trace::CensusKind kind);

// The process ends, or becomes another program. Safe to call more than once; the last one counts.
void finish(trace::EndKind kind, int value);

void write_note(trace::NoteCode code, int value, uint64_t address = 0);
void write_memory(trace::MemoryMoment moment);

}  // namespace cowscope::process
