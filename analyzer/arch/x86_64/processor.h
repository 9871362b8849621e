// Constants of x86-64. What each is, holds for every processor; its value, for this one.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "preload/format/machine.h"

namespace cowscope::arch {

// Bytes of the pages that the kernel copies; the x86-64 kernel has no others.
using trace::kPageBytes;
// No address of a process lies behind it: the lower half of the widest address space (57 bits,
// five-level page tables).
inline constexpr uint64_t kAddressSpaceEnd = uint64_t{1} << 56;

// General registers of an event, and the index of the stack pointer among them.
using trace::kRegisterCount;
using trace::kStackPointer;

// By how many bits a shift by `count` shifts an operand of `bytes`: counts are taken modulo 64 for
// 8-byte operands and modulo 32 for all others (Intel SDM, SAL/SAR/SHL/SHR), so that a narrow
// operand can be shifted out as a whole.
constexpr unsigned shift_count(uint64_t count, unsigned bytes) {
    return static_cast<unsigned>(count & (bytes == 8 ? 63 : 31));
}

inline constexpr uint16_t kElfMachine = EM_X86_64;  // e_machine of this processor's programs
static_assert(trace::kMachine == kElfMachine);
// Debian's name of the folder of libraries (multiarch tuple).
inline constexpr const char* kLibraryFolder = "x86_64-linux-gnu";
// File name of glibc's loader in PT_INTERP (System V ABI, AMD64 supplement).
inline constexpr std::string_view kGlibcLoader = "ld-linux-x86-64.so.2";

}  // namespace cowscope::arch
