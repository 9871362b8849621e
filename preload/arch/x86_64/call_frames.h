// What a walk over the stack has to know of the processor and its ABI: System V ABI, AMD64
// supplement, 3.2 and figure 3.36 (DWARF register numbers).
#pragma once

#include <cstdint>

namespace cowscope::cpu {

// What lies so far below a function's stack pointer is its own, too (3.2.2).
inline constexpr uint64_t kRedZoneBytes = 128;

inline constexpr uint64_t kDwarfFramePointer = 6;  // rbp
inline constexpr uint64_t kDwarfStackPointer = 7;  // rsp
inline constexpr uint64_t kDwarfReturnAddress = 16;

// The call instruction puts the return address just below the canonical frame address (CFA).
inline constexpr int64_t kReturnAddressFromCfa = -8;

// Where a function that keeps a frame pointer has set it up: the CFA, from the frame pointer, and
// the caller's frame pointer, from the CFA.
inline constexpr int32_t kCfaFromFramePointer = 16;
inline constexpr int32_t kFramePointerFromCfa = -16;

// The expression that linkers write for the CFA of the procedure linkage table begins with these:
// an offset to the stack pointer, then a look at where in the entry the program is.
inline constexpr int64_t kStubCfaOffset = 8;
inline constexpr uint64_t kDwarfInstructionPointer = 16;
// What it comes to: an entry has 16 bytes, and from the 11th on it has pushed a word.
inline constexpr uint64_t stub_cfa(uint64_t ip, uint64_t sp) {
    return sp + ((ip & 15) >= 11 ? 16 : 8);
}

}  // namespace cowscope::cpu
