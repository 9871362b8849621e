// Opens the files of a trace. A trace may come from someone who wishes us ill.
#pragma once

#include <string>

namespace cowscope::trace {

// For reading. Throws cowscope::Error for what is no regular file: a device or FIFO is not even
// opened, and no link is followed, since it may lead out of the trace.
int open_trace_file(const std::string& path);

// The one that was opened last, or "": for who runs out of memory.
const std::string& last_trace_file();

}  // namespace cowscope::trace
