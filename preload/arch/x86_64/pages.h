// Pages and addresses.
#pragma once

#include <cstdint>

#include "format/machine.h"

namespace cowscope::cpu {

inline constexpr uint64_t kPageBytes = trace::kPageBytes;
// The page that holds `address`.
inline constexpr uint64_t page_of(uint64_t address) {
    return address & ~(kPageBytes - 1);
}
// The first page boundary at or behind `address`; of a size: in whole pages.
inline constexpr uint64_t page_end(uint64_t address) {
    return page_of(address + kPageBytes - 1);
}

// A huge page: what one entry of the second level of page tables maps.
inline constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

// User addresses end below this one with four-level page tables
// (Documentation/arch/x86/x86_64/mm.rst). A mapping above it exists only for programs that ask for
// it by address hint.
inline constexpr uint64_t kAddressSpaceEnd = 0x7ffffffff000;

// Below the top of the main thread's stack nothing else is mapped for so many bytes
// (arch/x86/mm/mmap.c, mmap_base(): a gap of at least 128 MiB).
inline constexpr uint64_t kMainStackReach = uint64_t{64} << 20;

}  // namespace cowscope::cpu
