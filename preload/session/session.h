// This process's place in the trace: who it is, its segment, the folder, what the user asked for,
// and the lock behind which the shim does everything.
//
// Locking contract: `self.lock` is taken with all signals of the thread blocked
// (support/spin_lock.h). It guards everything here but `pid`, and the state of the floors above
// (epoch/epoch.h). Every hook first asks is_current(): where that is false this is a child that
// nobody announced (vfork, a raw clone), or a process that the shim has left, and the hook does
// nothing of its own.
//
// Everything here is async-signal-safe. Nothing is owned by the caller; errors are -errno.
#pragma once

#include <signal.h>

#include <atomic>

#include "session/folder.h"
#include "session/options.h"
#include "session/writer.h"
#include "support/spin_lock.h"

namespace cowscope::session {

// The process record of this program, complete but for what tells its processes apart.
struct Identity {
    trace::ProcessRecord record;
    char text[Writer::kFirstRecordBytes - sizeof(trace::ProcessRecord)];
};

struct Session {
    SpinLock lock;
    pid_t pid = 0;  // 0: the shim stands back
    Writer writer;
    // Its segment is sealed because of the size limit, or there never was one: what it copies is
    // counted in sums for each call site (epoch/aggregate.h).
    bool is_counting = false;
    bool has_robust_list = false;  // libc has one in each thread
    // This process was cloned with its parent's very descriptors (CLONE_FILES).
    bool shares_descriptors = false;
    Folder folder;
    uint64_t fork_began_ns = 0;  // of the newest fork; in a child, of the one that it comes from
};

// What every fork changes. It stands in one page with epoch::sharing (epoch/epoch.h), so that a
// fork writes to one page of the shim's data: the others stay shared.
extern Session self;

// What a program sets at its start, or before its first fork, and its forked children only read.
extern Options options;
extern Identity identity;
extern char** environment;  // of the program's start: its main thread's stack ends below it

// Whether this is the process that `self` describes. In a new namespace numbers begin at 1, and
// a child there that nobody announced may have its parent's number; but it has no robust list
// (kernel/fork.c, copy_process()), which libc gives to all its threads and children. Numbers above
// those that the kernel keeps for the first processes (RESERVED_PIDS) are not met again so soon.
inline bool is_current() {
    constexpr pid_t kReservedNumbers = 300;
    if (self.pid == 0 || self.pid != sys::getpid()) return false;
    return self.pid > kReservedNumbers || !self.has_robust_list || sys::robust_list() != nullptr;
}

// Whether anything is to be said of what this process copies.
inline bool is_watching() {
    return self.writer.is_open() || self.is_counting;
}

// Gives this thread its signal mask back, and sees to it that no signal of the witness's, which the
// shim's own writes have left pending, strikes the program. Defined by who knows the host's signals
// (hooks/signals/handled_signals.cpp).
void restore_signal_mask(sys::SignalMask mask);

inline constexpr sys::SignalMask kTrapOnly = sys::SignalMask{1} << (SIGTRAP - 1);

// Blocks signals and takes the lock for a scope.
class Locked {
  public:
    Locked() : mask_(sys::set_signal_mask(sys::kAllSignals)) { self.lock.lock(); }
    ~Locked() {
        self.lock.unlock();
        restore_signal_mask(mask_);
    }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;

    // Whether the thread itself blocks SIGTRAP.
    bool is_trap_blocked() const { return (mask_ & kTrapOnly) != 0; }

  private:
    sys::SignalMask mask_;
};

// Keeps what is to be said of every process of this program: at its start the command, and before
// its first fork, when it begins to matter, the executable.
void set_command(int argument_count, char** arguments);
void set_executable();

// Opens the segment of this process and writes who it is. 0 or -errno: the shim stands back; with
// -EDQUOT the recording has reached its size limit.
int open_segment(trace::Role role, pid_t parent, uint64_t start_ns);
// The program is about to do what may keep the segment from being opened again. The lock is held,
// here and below.
void keep_segment_file();

void write_note(trace::NoteCode code, int value, uint64_t address = 0);
// The process's memory totals by the kernel's count (/proc/PID/smaps_rollup).
void write_memory(trace::MemoryMoment moment);
// The same without asking for it: `flags` say what is known, of which only the private memory is
// given.
void write_known_memory(trace::MemoryMoment moment, uint16_t flags, uint64_t private_pages);
// How many pages of its own the process has, by the kernel's count; 0 where it cannot be asked.
uint64_t count_own_pages();

}  // namespace cowscope::session
