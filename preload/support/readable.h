// Whether memory can be read, for a fifth of what guarded_read() costs. A reader must know besides
// that nothing takes the memory away meanwhile. Async-signal-safe.
#pragma once

#include "arch/cpu.h"
#include "support/syscall.h"

namespace cowscope {

// rt_sigprocmask copies the new mask in before it looks at `how` and refuses that: EINVAL, or
// EFAULT where there is nothing to read (linux/kernel/signal.c).
inline bool is_word_readable(uint64_t address) {
    constexpr long kNoSuchAction = ~0u;
    constexpr long kInvalid = -22;
    return sys::syscall4(SYS_rt_sigprocmask, kNoSuchAction, static_cast<long>(address), 0,
                         sizeof(sys::SignalMask)) == kInvalid;
}

// Of at most a page.
inline bool is_readable(uint64_t address, uint64_t bytes) {
    constexpr uint64_t kWord = sizeof(sys::SignalMask);
    const uint64_t last = address + bytes - kWord;
    return is_word_readable(address) &&
           (address / cpu::kPageBytes == last / cpu::kPageBytes || is_word_readable(last));
}

// Pages that could be read a moment ago: asks once for each while the mappings stay as they are.
class ReadablePages {
  public:
    // `version` of the process's memory, never 0: where it is the last one's, nothing was taken
    // away in between.
    void begin(uint64_t version) {
        if (version == version_) return;
        version_ = version;
        for (auto& set : pages_) {
            for (uint64_t& known : set) known = kNone;
        }
    }
    // Of at most a page.
    bool has(uint64_t address, uint64_t bytes) {
        const uint64_t first = address / cpu::kPageBytes;
        const uint64_t last = (address + bytes - 1) / cpu::kPageBytes;
        return has_page(first) && (first == last || has_page(last));
    }
    // The same without asking for what is not remembered.
    bool knows(uint64_t address, uint64_t bytes) const {
        return knows_page(address / cpu::kPageBytes) &&
               knows_page((address + bytes - 1) / cpu::kPageBytes);
    }
    // Remembers what was found to be readable.
    void note(uint64_t address, uint64_t bytes) {
        note_page(address / cpu::kPageBytes);
        note_page((address + bytes - 1) / cpu::kPageBytes);
    }

  private:
    static constexpr uint64_t kNone = ~uint64_t{0};

    static uint64_t set_of(uint64_t page) {
        // Fibonacci hashing: what is mapped far apart is often so by a power of two.
        return (page * 0x9e3779b97f4a7c15u) >> kShift;
    }
    bool knows_page(uint64_t page) const {
        for (const uint64_t each : pages_[set_of(page)]) {
            if (each == page) return true;
        }
        return false;
    }
    void note_page(uint64_t page) {
        if (knows_page(page)) return;
        uint64_t(&known)[kWays] = pages_[set_of(page)];
        for (uint64_t i = kWays - 1; i != 0; --i) known[i] = known[i - 1];
        known[0] = page;
    }
    bool has_page(uint64_t page) {
        if (knows_page(page)) return true;
        if (!is_word_readable(page * cpu::kPageBytes)) return false;
        note_page(page);
        return true;
    }

    // A stack of an interpreter touches a dozen or two.
    static constexpr uint64_t kSets = 16;
    static constexpr uint64_t kShift = 60;
    static constexpr uint64_t kWays = 4;
    static_assert(kSets == uint64_t{1} << (64 - kShift));
    uint64_t version_ = 0;
    uint64_t pages_[kSets][kWays];
};

}  // namespace cowscope
