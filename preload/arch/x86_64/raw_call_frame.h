// The arguments of libc's syscall(), as raw_calls.S puts them by for cowscope_before_call().
#pragma once

#include <cstddef>

namespace cowscope::cpu {

// Registers as they were pushed, the last one first; then what the caller has on the stack.
struct RawCallFrame {
    long registers[5];  // the fifth argument of the system call down to the first
    long number;        // where raw_calls.S finds the result, too
    long return_address;
    long sixth;

    long& argument(size_t index) { return index < 5 ? registers[4 - index] : sixth; }
};
static_assert(offsetof(RawCallFrame, number) == 5 * 8);

}  // namespace cowscope::cpu
