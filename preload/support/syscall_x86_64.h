// The x86-64 system call instruction (System V ABI, AMD64 supplement, appendix A.2).
#pragma once

#include "support/system_calls.h"

namespace cowscope::sys {

// Any: only for trying out what a filter does to the listed ones, and for the program's own.
inline long raw_syscall6(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}
inline long syscall6(Call n, long a, long b, long c, long d, long e, long f) {
    return raw_syscall6(n.number, a, b, c, d, e, f);
}
inline long syscall5(Call n, long a, long b, long c, long d, long e) {
    return raw_syscall6(n.number, a, b, c, d, e, 0);
}
inline long syscall4(Call n, long a, long b, long c, long d) {
    return raw_syscall6(n.number, a, b, c, d, 0, 0);
}
inline long syscall3(Call n, long a, long b, long c) {
    return raw_syscall6(n.number, a, b, c, 0, 0, 0);
}
inline long syscall2(Call n, long a, long b) {
    return raw_syscall6(n.number, a, b, 0, 0, 0, 0);
}
inline long syscall1(Call n, long a) {
    return raw_syscall6(n.number, a, 0, 0, 0, 0, 0);
}
inline long syscall0(Call n) {
    return raw_syscall6(n.number, 0, 0, 0, 0, 0, 0);
}

inline void pause_cpu() {
    asm volatile("pause");
}

}  // namespace cowscope::sys
