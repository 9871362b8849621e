// The witness `trap`: a perf event that raises SIGTRAP on the thread that faulted, after the kernel
// has copied the page and before the store is tried again (perf_event_open(2), `sigtrap`; Linux
// 5.13, usable from 5.19: before that a blocked SIGTRAP killed the process).
//
// Of many faults it tells one in `mean` on average (sampling.h). What the kernel does then, by
// experiment on Linux 6.18 and kernel/events/core.c:
//   - The gap from an event's opening to its first signal is its period, whatever the thread does
//     meanwhile: it is drawn from 1 to the mean, so that the first faults are told as often as all
//     others. Only then (is_first) the event is opened anew, with the gap that is to follow.
//   - A new period (PERF_EVENT_IOC_PERIOD) lets the very next fault raise a signal, which says
//     nothing and is not counted (is_restarted). The gap to the next one that counts is still that
//     of the period before, and the new one is that of the gap after it. With a period of one the
//     kernel goes another way, so that gap is not used here. Where another thread had the processor
//     before that fault, the new period has begun at once, and no signal comes that says nothing.
//   - Threads that are born later inherit the event with its period at that time. There is no
//     descriptor for theirs, and the kernel may swap it with that of the thread that it came from.
//     A gap that was drawn for one thread is then another one's, which comes to the same. A thread
//     without an event of its own keeps the gap that it has inherited, until all are opened anew
//     (reopen()) and it gets one.
//   - sig_data comes with each signal, of inherited events too: it says which event it is and how
//     many faults it stands for, also when the mean has changed meanwhile.
//
// Async-signal-safe; callers hold the process's lock.
#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>

#include "format/kernel_abi.h"
#include "support/descriptor.h"
#include "support/syscall.h"
#include "witness/sampling.h"

namespace cowscope::witness {

// perf_event_attr::sig_data of our events: a cookie, by which one knows them, of 22 bits, the
// event's index of 10, and its mean of 32.
inline constexpr uint64_t kCookie = 0x30157c;
inline uint64_t signal_data(size_t index, uint32_t mean) {
    return kCookie << 42 | static_cast<uint64_t>(index) << 32 | mean;
}
inline uint32_t event_of(const kernel::PerfSiginfo& info) {
    return static_cast<uint32_t>(info.perf_data >> 32) & 0x3ff;
}
// Faults that the one stands for.
inline uint32_t weight_of(const kernel::PerfSiginfo& info) {
    return static_cast<uint32_t>(info.perf_data);
}

// Whether the signal is one of our event's.
inline bool is_ours(const kernel::PerfSiginfo& info) {
    return info.code == kernel::kTrapPerf && info.perf_data >> 42 == kCookie;
}

class Trap {
  public:
    // Opens the event on every thread of this process; new threads inherit it. One fault in `mean`
    // is reported, and which is the first one is drawn for each. `is_alone`: there is no other
    // thread. Returns 0, or -errno when the calling thread could not be opened. Where there are
    // many, the others may go without (unseen_threads()): of the descriptors that a process may
    // have, the events take a part.
    int open(uint32_t mean, Sampling* sampling, bool is_alone);
    // Opens all events anew, for each thread that there is, and with another mean. Returns 0, or
    // -errno: then all is as it was.
    int reopen(uint32_t mean, Sampling* sampling);
    // Faults on swapped-out pages too, which open() leaves out where nothing is swapped out.
    void open_major(Sampling* sampling);
    void close();
    bool is_open() const { return count_ != 0; }
    // Threads that have no event, as far as that was found when all were opened last.
    uint32_t unseen_threads() const { return unseen_threads_; }
    // Not where the host has closed the events behind the shim's back.
    bool is_alive();
    // Faults that the events have counted since open(), of which nobody was told: of threads that
    // block SIGTRAP, and the shim's own, which are some dozens. Two system calls an event.
    uint64_t unseen_faults();

    // Of the events that were opened last.
    uint32_t mean() const { return mean_; }

    // Every signal of event `index` is shown here first. Whether it tells of a fault, and was not
    // just raised by a new period.
    bool takes(const kernel::PerfSiginfo& info);
    // One that takes() has taken was counted.
    void count_told(const kernel::PerfSiginfo& info) { told_faults_ += weight_of(info); }
    // A fault of thread `tid` was told by event `index`: sets the gap to the next ones.
    void set_gap(uint32_t index, pid_t tid, Sampling* sampling);

    template <typename Take>
    void for_each_descriptor(const Take& take) {
        for (size_t i = 0; i < count_; ++i) take(at(i).descriptor);
    }

  private:
    // Two for each thread that ran before the first fork; those started later inherit them.
    static constexpr size_t kMaxEvents = 512;
    // Of the descriptors that RLIMIT_NOFILE allows.
    static constexpr size_t kPartOfLimit = 4;

    struct Event {
        Descriptor descriptor;
        pid_t tid;  // 0: free
        bool is_major;
        bool is_restarted;  // its next signal says nothing
        bool is_new;        // opened by the reopen() that is under way
        bool is_first;      // none of its faults was told yet
        uint32_t picked;    // which of the `mean` faults is told next that are under way
        uint32_t switches;  // of the thread, when it was restarted
    };

    // `picked`: of the first `mean` faults, which is told.
    int open_event(pid_t tid, bool is_major, uint32_t mean, uint32_t picked);
    // `gap`: to the first fault that is told, and on until another is set.
    int open_at(size_t index, pid_t tid, bool is_major, uint32_t mean, uint64_t gap);
    // The first fault was told: what follows it is drawn in its turn.
    void follow_first(Event* event, Sampling* sampling);
    // The gap after the next one.
    bool change_gap(Event* event, uint64_t gap);
    bool knows(pid_t tid, bool is_major) const;
    void release(size_t index);
    // Closes an event, of which what it has counted stays.
    void close_event(Descriptor descriptor);
    size_t open_events() const;
    // Whether others than the calling thread may have one more.
    bool has_room_for_others() const { return open_events() + 1 < most_; }
    static size_t most_events();

    // Few processes need more than the first, and those of others are to share their page with what
    // a fork writes anyway.
    static constexpr size_t kMaxInline = 16;
    static Event more_[kMaxEvents - kMaxInline];
    Event& at(size_t i) { return i < kMaxInline ? inline_[i] : more_[i - kMaxInline]; }
    const Event& at(size_t i) const { return i < kMaxInline ? inline_[i] : more_[i - kMaxInline]; }

    Event inline_[kMaxInline] = {};
    size_t count_ = 0;  // behind the last one that is open
    size_t most_ = 1;
    uint32_t unseen_threads_ = 0;
    uint32_t mean_ = 1;
    uint32_t told_ = 0;           // faults since all were opened
    uint64_t told_faults_ = 0;    // since open(), by their weight
    uint64_t closed_faults_ = 0;  // since open(), of events that are closed
    bool has_major_ = false;
};

}  // namespace cowscope::witness
