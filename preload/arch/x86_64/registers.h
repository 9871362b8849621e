// The interrupted thread's registers, from the signal handler's ucontext_t.
#pragma once

#include <ucontext.h>

#include <cstdint>

#include "format/machine.h"

namespace cowscope::cpu {

// What a walk over the stack starts from.
struct Registers {
    uint64_t ip;  // instruction pointer
    uint64_t sp;  // stack pointer
    uint64_t fp;  // frame pointer, in code that keeps one
};

inline Registers registers_of(const ucontext_t& context) {
    const auto& all = context.uc_mcontext.gregs;
    return {static_cast<uint64_t>(all[REG_RIP]), static_cast<uint64_t>(all[REG_RSP]),
            static_cast<uint64_t>(all[REG_RBP])};
}

// Of a system call that has ended: -errno or what it returns.
inline int64_t call_result_of(const ucontext_t& context) {
    return context.uc_mcontext.gregs[REG_RAX];
}

// In the order that format/machine.h states.
inline void copy_registers(const ucontext_t& context, uint64_t (&to)[trace::kRegisterCount]) {
    static constexpr int kOrder[trace::kRegisterCount] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    static_assert(kOrder[trace::kStackPointer] == REG_RSP);
    for (size_t i = 0; i < trace::kRegisterCount; ++i) {
        to[i] = static_cast<uint64_t>(context.uc_mcontext.gregs[kOrder[i]]);
    }
}

}  // namespace cowscope::cpu
