// Whether memory can be read, for a fifth of what guarded_read() costs. A reader must know besides
// that nothing takes the memory away meanwhile. Async-signal-safe.
#pragma once

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
    constexpr uint64_t kPage = 4096;
    constexpr uint64_t kWord = sizeof(sys::SignalMask);
    const uint64_t last = address + bytes - kWord;
    return is_word_readable(address) && (address / kPage == last / kPage || is_word_readable(last));
}

// Pages that could be read a moment ago: asks once for each while the mappings stay as they are.
class ReadablePages {
  public:
    // `version` of the process's memory, never 0: where it is the last one's, nothing was taken
    // away in between.
    void begin(uint64_t version) {
        if (version == version_) return;
        version_ = version;
        for (uint64_t(&known)[2] : pages_) known[0] = known[1] = kNone;
    }
    // Of at most a page.
    bool has(uint64_t address, uint64_t bytes) {
        const uint64_t first = address / kPage;
        const uint64_t last = (address + bytes - 1) / kPage;
        return has_page(first) && (first == last || has_page(last));
    }

  private:
    static constexpr uint64_t kPage = 4096;
    static constexpr uint64_t kNone = ~uint64_t{0};

    bool has_page(uint64_t page) {
        uint64_t(&known)[2] = pages_[page % kSets];
        if (known[0] == page || known[1] == page) return true;
        if (!is_word_readable(page * kPage)) return false;
        known[1] = known[0];
        known[0] = page;
        return true;
    }

    // A stack of Python touches a dozen.
    static constexpr uint64_t kSets = 32;
    uint64_t version_ = 0;
    uint64_t pages_[kSets][2];
};

}  // namespace cowscope
