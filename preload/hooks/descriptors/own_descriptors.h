// The shim's own files, as the host's functions ask about them: to the host they are not open.
#pragma once

#include <climits>

#include "support/descriptor.h"

namespace cowscope::hooks {

// For a number that may be one of ours: whether it is. Takes the lock only where it looks so.
bool is_own_number(int fd);

// Whether `fd` is one of the shim's. One comparison for the low numbers of most programs, one more
// for others.
inline bool is_own_descriptor(int fd) {
    return Descriptor::may_be(fd) && is_own_number(fd);
}

// No file has the highest number (sysctl fs.nr_open stays below it): what the kernel and libc say
// of it is what they say of any that is not open, and they say it where they would.
inline constexpr int kNoFile = INT_MAX;

// The number to call libc's function with.
inline int visible(int fd) {
    return is_own_descriptor(fd) ? kNoFile : fd;
}

// Makes the number free for the host.
void give_up_number(int fd);
// Whether there may be any: not before the first fork.
inline bool may_have_own_descriptors() {
    return Descriptor::lowest() != ~0U;
}
// Whether there are any.
bool has_own_descriptors();
// How many there are.
unsigned count_own_descriptors();

}  // namespace cowscope::hooks
