// The interrupted thread's registers, from the signal handler's ucontext_t (x86-64).
#pragma once

#include <ucontext.h>

#include <cstdint>

#include "format/trace_format.h"
#include "unwind/walker.h"

namespace cowscope::witness {

inline unwind::Registers unwind_registers(const ucontext_t& context) {
    const auto& all = context.uc_mcontext.gregs;
    return {static_cast<uint64_t>(all[REG_RIP]), static_cast<uint64_t>(all[REG_RSP]),
            static_cast<uint64_t>(all[REG_RBP])};
}

// In the order that trace::ExemplarRecord states.
inline void copy_registers(const ucontext_t& context, uint64_t (&to)[trace::kRegisterCount]) {
    static constexpr int kOrder[trace::kRegisterCount] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    for (size_t i = 0; i < trace::kRegisterCount; ++i) {
        to[i] = static_cast<uint64_t>(context.uc_mcontext.gregs[kOrder[i]]);
    }
}

}  // namespace cowscope::witness
