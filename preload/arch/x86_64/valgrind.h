// What valgrind asks programs to say when they want to speak to it: a sequence of instructions that
// does nothing on a processor (valgrind.h of its client library describes it, and that it stays
// so).
#pragma once

#include <cstdint>

namespace cowscope::cpu {

// 0 where nobody listens.
inline uint64_t ask_valgrind(uint64_t request) {
    const volatile uint64_t words[6] = {request, 0, 0, 0, 0, 0};
    uint64_t answer = 0;
    asm volatile(
        "rolq $3, %%rdi\n\t"
        "rolq $13, %%rdi\n\t"
        "rolq $61, %%rdi\n\t"
        "rolq $51, %%rdi\n\t"
        "xchgq %%rbx, %%rbx"
        : "+d"(answer)
        : "a"(words)
        : "cc", "memory");
    return answer;
}

}  // namespace cowscope::cpu
