// Filters of seccomp(2), which may kill for a call of the shim's.
#pragma once

#include <cstdint>

namespace cowscope::hooks {

// Whether a seccomp filter that is in force would kill the process for a call of the shim's.
bool is_killed_by_filter();
// How many seccomp filters are in force; asked for by calls that the dynamic linker makes as well.
uint32_t filters_in_force();
// Whether none of them kills for a call of the shim's. By a child, which must be allowed to make.
bool may_make_all_calls();
// The same, where the recorder has made its children under the very same filters.
bool may_make_all_calls_here();

// The program is about to call seccomp(2). The lock is not held.
void before_seccomp(unsigned operation, const void* arguments);

}  // namespace cowscope::hooks
