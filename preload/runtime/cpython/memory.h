// Reading the interpreter's memory. load() is for memory of which it is known that it is there:
//   - a pointer that the running frames of this very thread keep alive, because the thread stands
//     still in the fault handler;
//   - the page that it is about to write to.
// Everything else goes through guarded_read() or is checked by is_readable() first.
#pragma once

#include <cstdint>
#include <cstring>

#include "arch/cpu.h"

namespace cowscope::cpython {

template <typename T>
T load(uint64_t address) {
    T value;
    std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof(value));
    return value;
}

// Whether a word may be the address of an object.
inline bool may_be_object(uint64_t word) {
    return word % 8 == 0 && word >= cpu::kPageBytes && word < cpu::kAddressSpaceEnd;
}

}  // namespace cowscope::cpython
