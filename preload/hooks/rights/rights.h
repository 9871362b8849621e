// The program is about to become another user or to give up rights; or to go where paths lead
// elsewhere. By libc's functions, or its syscall(). The lock is not held.
#pragma once

namespace cowscope::hooks {

void before_other_rights();
void before_other_paths();
void before_raw_rights_call(unsigned long number);

}  // namespace cowscope::hooks
