// What the page of a fault says of it: whether the fault copied it, and what is written there.
// Rules: witness/handler.h.
#pragma once

#include "epoch/epoch.h"
#include "witness/fault.h"

namespace cowscope::epoch {

using witness::Fault;
using witness::kHugePages;
using witness::kNothingIsSafe;

const Mapping* find_mapping(Epoch& epoch, uint64_t address);
const Mapping* recall_mapping(Epoch& epoch, uint64_t address);

// The machine code there; zeros where it cannot be read.
void read_code(uint64_t ip, uint8_t (&code)[trace::kCodeBytes]);

// A copy of memory at `from`, which lies in the page that was written if `is_safe`.
bool read_memory(bool is_safe, uint64_t from, void* to, size_t bytes);

// Whether the page that holds `address` holds nothing but zeros and, on a stack, what the kernel
// and the handler have just put there. `start` is what was read at the address.
bool is_zero_page(const Fault& fault, const uint64_t (&start)[2]);

// Whether a fork shares none of what is there.
bool is_unshared(const Epoch& epoch, uint64_t address);

// Whether memory that is not inherited was filled by mremap: it is private, of no file, and not
// new (new memory is zero).
bool is_moved_page(Epoch& epoch, const Fault& fault, const uint64_t (&start)[2]);

// Whether a page there is nobody's but this process's once it is written. The kernel is asked only
// about what was mapped since the mappings were read.
bool is_private(uint64_t address);

// From where on memory, up to the page that this thread is about to write to, can be read without
// more care than whether it is there: there is nobody else to take it away, nor a file whose end
// would (truncate(2) takes private copies too). kNothingIsSafe where that is not so, or where the
// page's protection key does not let the handler read it (pkeys(7): signal handlers have rights of
// their own).
uint64_t find_safe_from(const Mapping* mapping, uint64_t address);

// While counting, where nothing else is known: whether the fault copied its page.
bool is_copy_by_page(Epoch& epoch, Fault& fault);

// The word that is written and its next_word; the flags of what could not be read.
uint16_t read_words(const Fault& fault, uint64_t (&words)[2]);

}  // namespace cowscope::epoch
