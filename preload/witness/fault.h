// A fault that the witness tells of, and what the page that it is on says. Rules:
// witness/handler.h.
#pragma once

#include <ucontext.h>

#include "epoch/process.h"

namespace cowscope::witness {

using process::Tracked;

// A page of hugetlb, in pages (2 MiB; a larger one counts as one of those).
inline constexpr uint32_t kHugePages = 512;

inline constexpr uint64_t kNothingStays = ~uint64_t{0};

struct Fault {
    bool stays() const { return stays_from != kNothingStays; }

    uint64_t address;
    uint32_t event_index;  // of the perf event
    uint32_t weight;
    pid_t tid;
    unwind::Registers registers;
    const ucontext_t* context;
    // Where the signal's frame and the handler's own lie, if on the stack that was interrupted.
    AddressRange own_frames;
    // Nothing takes away what can be read from here up to the end of the written page, while it is
    // looked at.
    uint64_t stays_from = kNothingStays;
    bool is_copy = false;  // by what is known so far
    uint32_t pages = 1;    // that the kernel copied then
};

const Mapping* find_mapping(Tracked& tracked, uint64_t address);
const Mapping* recall_mapping(Tracked& tracked, uint64_t address);

// The machine code there; zeros where it cannot be read.
void read_code(uint64_t ip, uint8_t (&code)[trace::kCodeBytes]);

// A copy of memory at `from`, which lies in the page that was written if `stays`.
bool read_memory(bool stays, uint64_t from, void* to, size_t bytes);

// Whether the page that holds `address` holds nothing but zeros and, on a stack, what the kernel
// and the handler have just put there. `start` is what was read at the address.
bool is_zero_page(const Fault& fault, const uint64_t (&start)[2]);

// Whether a fork shares none of what is there.
bool is_unshared(const Tracked& tracked, uint64_t address);

// Whether memory that is not inherited was filled by mremap: it is private, of no file, and not
// new (new memory is zero).
bool is_moved_page(Tracked& tracked, const Fault& fault, const uint64_t (&start)[2]);

// Whether a page there is nobody's but this process's once it is written. The kernel is asked only
// about what was mapped since the mappings were read.
bool is_private(uint64_t address);

// From where on memory, up to the page that this thread is about to write to, can be read without
// more care than whether it is there: there is nobody else to take it away, nor a file whose end
// would (truncate(2) takes private copies too). kNothingStays where that is not so, or where the
// page's protection key does not let the handler read it (pkeys(7): signal handlers have rights of
// their own).
uint64_t find_stays_from(const Mapping* mapping, uint64_t address);

// While counting, where nothing else is known: whether the fault copied its page.
bool is_copy_by_page(Tracked& tracked, Fault& fault);

// The word that is written and its neighbour; the flags of what could not be read.
uint16_t read_words(const Fault& fault, uint64_t (&words)[2]);

}  // namespace cowscope::witness
