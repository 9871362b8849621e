// `cowscope dump`: one line a record, as it stands in the trace.
#pragma once

#include <cstdio>
#include <string>

namespace cowscope::trace {

// Prints every segment of the trace in FOLDER. Damage is printed where it stands, and the other
// segments still follow. Throws cowscope::Error where FOLDER is no trace.
void dump(const std::string& folder, std::FILE* out);

}  // namespace cowscope::trace
