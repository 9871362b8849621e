// The shim's own files, as the host's functions ask about them: to the host they are not open.
#pragma once

namespace cowscope::process {

// Whether `fd` is one of the shim's. One comparison for the low numbers of most programs.
bool is_own_descriptor(int fd);
// Makes the number free for the host.
void give_up_number(int fd);
// Whether there are any.
bool has_own_descriptors();

}  // namespace cowscope::process
