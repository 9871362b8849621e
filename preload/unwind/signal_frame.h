// Where the kernel's signal frame keeps the registers of the interrupted instruction (x86-64):
// offsets in the ucontext that the stack pointer points to while the handler's return address
// (the restorer) executes. Source: arch/x86/include/asm/sigframe.h, struct rt_sigframe.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <cstdint>

namespace cowscope::unwind {

inline constexpr uint64_t register_offset(int index) {
    return offsetof(ucontext_t, uc_mcontext) + static_cast<uint64_t>(index) * sizeof(greg_t);
}
inline constexpr uint64_t kContextIpOffset = register_offset(REG_RIP);
inline constexpr uint64_t kContextSpOffset = register_offset(REG_RSP);
inline constexpr uint64_t kContextBpOffset = register_offset(REG_RBP);

}  // namespace cowscope::unwind
