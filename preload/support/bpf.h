// Runs a seccomp filter on a system call that is only thought of: classic BPF, as
// Documentation/networking/filter.rst and kernel/seccomp.c (seccomp_check_filter()) have it.
// Async-signal-safe.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>

namespace cowscope {

struct BpfState {
    uint32_t a = 0;
    uint32_t x = 0;
    uint32_t memory[BPF_MEMWORDS] = {};
};

inline uint32_t bpf_operation(uint16_t code, uint32_t a, uint32_t operand) {
    switch (BPF_OP(code)) {
        case BPF_ADD:
            return a + operand;
        case BPF_SUB:
            return a - operand;
        case BPF_MUL:
            return a * operand;
        case BPF_DIV:
            return operand == 0 ? 0 : a / operand;
        case BPF_OR:
            return a | operand;
        case BPF_AND:
            return a & operand;
        case BPF_XOR:
            return a ^ operand;
        case BPF_LSH:
            return operand > 31 ? 0 : a << operand;
        case BPF_RSH:
            return operand > 31 ? 0 : a >> operand;
        default:
            return 0 - a;  // BPF_NEG
    }
}

inline bool bpf_condition(uint16_t code, uint32_t a, uint32_t operand) {
    switch (BPF_OP(code)) {
        case BPF_JEQ:
            return a == operand;
        case BPF_JGT:
            return a > operand;
        case BPF_JGE:
            return a >= operand;
        default:
            return (a & operand) != 0;  // BPF_JSET
    }
}

// What the filter returns. A program that the kernel would not take returns SECCOMP_RET_ALLOW: it
// will not be installed.
inline uint32_t run_filter(const sock_filter* program, size_t length, const seccomp_data& call) {
    BpfState state;
    // Jumps go forward only, so this ends.
    for (size_t at = 0; at < length; ++at) {
        const sock_filter& each = program[at];
        const uint32_t k = each.k;
        const uint32_t operand = BPF_SRC(each.code) == BPF_X ? state.x : k;
        switch (BPF_CLASS(each.code)) {
            case BPF_LD:
            case BPF_LDX: {
                uint32_t value = k;  // BPF_IMM
                if (BPF_MODE(each.code) == BPF_ABS) {
                    if (k > sizeof(call) - sizeof(value) || k % sizeof(value) != 0) {
                        return SECCOMP_RET_ALLOW;
                    }
                    __builtin_memcpy(&value, reinterpret_cast<const char*>(&call) + k,
                                     sizeof(value));
                } else if (BPF_MODE(each.code) == BPF_MEM) {
                    value = state.memory[k % BPF_MEMWORDS];
                } else if (BPF_MODE(each.code) == BPF_LEN) {
                    value = sizeof(call);
                }
                (BPF_CLASS(each.code) == BPF_LD ? state.a : state.x) = value;
                break;
            }
            case BPF_ST:
                state.memory[k % BPF_MEMWORDS] = state.a;
                break;
            case BPF_STX:
                state.memory[k % BPF_MEMWORDS] = state.x;
                break;
            case BPF_ALU:
                state.a = bpf_operation(each.code, state.a, operand);
                break;
            case BPF_JMP:
                if (BPF_OP(each.code) == BPF_JA) {
                    at += k;
                } else {
                    at += bpf_condition(each.code, state.a, operand) ? each.jt : each.jf;
                }
                break;
            case BPF_RET:
                return BPF_RVAL(each.code) == BPF_A ? state.a : k;
            default:  // BPF_MISC
                if (BPF_MISCOP(each.code) == BPF_TAX) {
                    state.x = state.a;
                } else {
                    state.a = state.x;
                }
        }
    }
    return SECCOMP_RET_ALLOW;
}

}  // namespace cowscope
