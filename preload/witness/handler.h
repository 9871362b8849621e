// The handler of the witness's SIGTRAP. The rules that its code obeys:
//   - it runs with every signal blocked, on a stack of the shim's own, under the process's lock;
//   - it makes raw system calls only, so errno stays as it is;
//   - it writes to the shim's arena and to the segment, whose pages were written to before;
//   - it allocates from the arena only, and a full arena is a lost event;
//   - it reads the program's memory only where the program itself just stored, where the stack's
//     mapping is known to reach, or through a guarded read;
//   - it decodes nothing.
#pragma once

#include <signal.h>

#include "witness/trap.h"

namespace cowscope::witness {

void on_trap(int signal, siginfo_t* info, void* context);

// Counts a signal of the witness's that the host has taken out of what is pending. The lock is
// held.
void count_late(const TrapInfo& info);

}  // namespace cowscope::witness
