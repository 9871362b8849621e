#pragma once

#include <cstdint>

namespace cowscope::workload {

// What this process shares with no other, in kB (1024 bytes): Private_Clean + Private_Dirty of
// /proc/self/smaps_rollup. Allocates nothing. -1 if the kernel does not tell.
int64_t private_memory_kb();

}  // namespace cowscope::workload
