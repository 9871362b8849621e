// struct kernel_sigaction, what rt_sigaction() takes: arch/x86/include/uapi/asm/signal.h.
#pragma once

#include <cstdint>

namespace cowscope::cpu {

struct KernelAction {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;  // bit n-1 is signal n
};
static_assert(sizeof(KernelAction) == 32);

}  // namespace cowscope::cpu
