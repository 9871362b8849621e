// What a trace takes from the processor and the kernel that it was recorded on. One block each; a
// reader decodes traces of its own machine, and refuses others by SegmentHeader::machine and
// page_size.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cowscope::trace {

// Where traces that do not say were recorded: x86-64.
inline constexpr uint16_t kFirstMachine = 62;

#if defined(__x86_64__)

inline constexpr uint16_t kMachine = 62;  // EM_X86_64 (System V ABI, AMD64 supplement, 4.1)
inline constexpr uint64_t kPageBytes = 4 * 1024;
// General registers, in the order of their encoding (Intel SDM, table 3-1 "REX.reg"):
// rax rcx rdx rbx rsp rbp rsi rdi r8 ... r15.
inline constexpr size_t kRegisterCount = 16;
inline constexpr size_t kStackPointer = 4;  // which of them
// Bytes of machine code kept of each site: the longest instruction has 15 (Intel SDM 2.3.11).
inline constexpr size_t kCodeBytes = 16;

#else
#error \
    "A trace is defined for x86-64 only: another processor is a block here, and a folder of arch/."
#endif

}  // namespace cowscope::trace
