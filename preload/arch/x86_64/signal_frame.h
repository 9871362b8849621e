// What the kernel puts on the stack for a signal: arch/x86/include/asm/sigframe.h, struct
// rt_sigframe; arch/x86/kernel/signal.c, get_sigframe().
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <cstdint>

namespace cowscope::cpu {

// From a handler's frame up to the stack pointer that was interrupted there are fewer bytes, if
// both are on one stack: the signal's frame has up to 11 KiB of registers (Intel SDM 1, 13.5: with
// AMX).
inline constexpr uint64_t kMostSignalFrameBytes = 32 * 1024;
// The end of the signal's frame, just below the red zone, lies fewer bytes below that stack
// pointer.
inline constexpr uint64_t kSignalFrameEndBytes = 256;

// Where the frame keeps the registers of the interrupted instruction: offsets in the ucontext that
// the stack pointer points to while the handler's return address (the restorer) executes.
inline constexpr uint64_t register_offset(int index) {
    return offsetof(ucontext_t, uc_mcontext) + static_cast<uint64_t>(index) * sizeof(greg_t);
}
inline constexpr uint64_t kContextIpOffset = register_offset(REG_RIP);
inline constexpr uint64_t kContextSpOffset = register_offset(REG_RSP);
inline constexpr uint64_t kContextFpOffset = register_offset(REG_RBP);

}  // namespace cowscope::cpu
