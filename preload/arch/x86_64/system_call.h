// The system call instruction (System V ABI, AMD64 supplement, appendix A.2).
#pragma once

#include <cstdint>

namespace cowscope::cpu {

// Its bytes, which stand before the instruction pointer once the call has ended.
inline constexpr uint8_t kSystemCallCode[2] = {0x0f, 0x05};

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

// Between two looks at a lock that another thread has.
inline void pause_cpu() {
    asm volatile("pause");
}

}  // namespace cowscope::cpu
