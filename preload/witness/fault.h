// A fault that the witness tells of, and what the page that it is on says. Rules:
// witness/handler.h.
#pragma once

#include <ucontext.h>

#include <cstdint>

#include "arch/cpu.h"
#include "support/own_memory.h"

namespace cowscope::witness {

// A page of hugetlb, in pages (2 MiB; a larger one counts as one of those).
inline constexpr uint32_t kHugePages = 512;

inline constexpr uint64_t kNothingIsSafe = ~uint64_t{0};

struct Fault {
    bool is_safe_to_read() const { return safe_from != kNothingIsSafe; }

    uint64_t address;
    uint32_t event_index;  // of the perf event
    uint32_t weight;
    pid_t tid;
    cpu::Registers registers;
    const ucontext_t* context;
    // Where the signal's frame and the handler's own lie, if on the stack that was interrupted.
    AddressRange own_frames;
    // Nothing takes away what can be read from here up to the end of the written page, while it is
    // looked at.
    uint64_t safe_from = kNothingIsSafe;
    bool is_copy = false;  // by what is known so far
    uint32_t pages = 1;    // that the kernel copied then
};

}  // namespace cowscope::witness
