// Memory that the program unmaps, moves, discards or makes readable, as far as others than the
// functions of hooks/memory/map_and_unmap.cpp see it. The lock is not held.
#pragma once

namespace cowscope::hooks {

// System calls that the program is about to make by libc's syscall(): the number and what matters
// of the arguments.
void before_raw_memory_call(unsigned long number, unsigned long first, unsigned long second,
                            unsigned long fourth, unsigned long fifth);
void before_raw_advice(unsigned long first, unsigned long second, int advice);

// Modules have been unmapped inside of libc.
void forget_unmapped_files();

}  // namespace cowscope::hooks
