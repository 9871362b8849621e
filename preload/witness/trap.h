// The witness `trap`: a perf event that raises SIGTRAP on the thread that faulted, after the kernel
// has copied the page and before the store is tried again (perf_event_open(2), `sigtrap`; Linux
// 5.13, usable from 5.19: before that a blocked SIGTRAP killed the process).
//
// Async-signal-safe; callers hold the process's lock.
#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>

#include "support/descriptor.h"
#include "support/syscall.h"

namespace cowscope::witness {

class Trap {
  public:
    // Opens the event on every thread of this process; new threads inherit it. One fault in
    // `sample` is reported. `is_alone`: there is no other thread. Returns 0, or -errno when the
    // calling thread could not be opened.
    int open(uint32_t sample, bool is_alone);
    // Faults on swapped-out pages too, which open() leaves out where nothing is swapped out.
    void open_major(uint32_t sample);
    void close();
    bool is_open() const { return count_ != 0; }
    // Not where the host has closed the events behind the shim's back.
    bool is_alive() { return count_ != 0 && at(count_ - 1).is_ours(); }
    template <typename Take>
    void for_each_descriptor(const Take& take) {
        for (size_t i = 0; i < count_; ++i) take(at(i));
    }

  private:
    // Two for each thread that ran before the first fork; those started later inherit them.
    static constexpr size_t kMaxEvents = 512;

    int open_event(pid_t tid, uint64_t event, uint32_t sample);

    // Few processes need more than the first, and those of others are to share their page with what
    // a fork writes anyway.
    static constexpr size_t kMaxInline = 16;
    static Descriptor more_[kMaxEvents - kMaxInline];
    Descriptor& at(size_t i) { return i < kMaxInline ? inline_[i] : more_[i - kMaxInline]; }

    Descriptor inline_[kMaxInline] = {};
    size_t count_ = 0;
    bool has_major_ = false;
};

// The part of siginfo_t that a perf SIGTRAP fills. Source: include/uapi/asm-generic/siginfo.h,
// Linux 5.13; older C libraries do not name these fields.
struct TrapInfo {
    int signal;
    int error;
    int code;
    int padding;
    uint64_t address;
    uint64_t data;
    uint32_t type;
    uint32_t flags;
};
static_assert(offsetof(TrapInfo, address) == 16 && offsetof(TrapInfo, flags) == 36);
static_assert(sizeof(TrapInfo) <= sizeof(siginfo_t));

inline constexpr int kTrapPerf = 6;               // TRAP_PERF
inline constexpr uint32_t kTrapPerfAsync = 1;     // TRAP_PERF_FLAG_ASYNC
inline constexpr uint64_t kCookie = 0xc0575c09e;  // perf_event_attr::sig_data of our events

// Whether the signal is one of our event's.
inline bool is_ours(const TrapInfo& info) {
    return info.code == kTrapPerf && info.data == kCookie;
}

}  // namespace cowscope::witness
