// Where execvp(3) looks for a program.
#pragma once

#include <string>

namespace cowscope::record {

// The first file that `program` may mean and that access(2) allows `mode` (F_OK, X_OK) for;
// `program` itself if it has a slash; empty if there is none in PATH.
std::string find_program(const std::string& program, int mode);

}  // namespace cowscope::record
