// The x86-64 system call instruction (System V ABI, AMD64 supplement, appendix A.2).
#pragma once

namespace cowscope::sys {

inline long syscall6(long number, long a, long b, long c, long d, long e, long f) {
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
inline long syscall5(long n, long a, long b, long c, long d, long e) {
    return syscall6(n, a, b, c, d, e, 0);
}
inline long syscall4(long n, long a, long b, long c, long d) {
    return syscall6(n, a, b, c, d, 0, 0);
}
inline long syscall3(long n, long a, long b, long c) {
    return syscall6(n, a, b, c, 0, 0, 0);
}
inline long syscall2(long n, long a, long b) {
    return syscall6(n, a, b, 0, 0, 0, 0);
}
inline long syscall1(long n, long a) {
    return syscall6(n, a, 0, 0, 0, 0, 0);
}
inline long syscall0(long n) {
    return syscall6(n, 0, 0, 0, 0, 0, 0);
}

inline void pause_cpu() {
    asm volatile("pause");
}

}  // namespace cowscope::sys
