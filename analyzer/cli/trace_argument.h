// The trace that a command is about where none is named.
#pragma once

#include <string>

namespace cowscope::cli {

// The newest of the current directory. Throws cowscope::Error where there is none.
std::string newest_trace(const std::string& command);

}  // namespace cowscope::cli
