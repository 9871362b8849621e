// The program's own userfaultfd.
#pragma once

namespace cowscope::hooks {

// The program is about to make this call in a way that is not libc's ioctl(). The lock is not held.
void before_ioctl(unsigned long request, const void* argument);

}  // namespace cowscope::hooks
