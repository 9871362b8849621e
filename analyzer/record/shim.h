// Where libcowscope.so is, and why a program may have run without it.
#pragma once

#include <string>
#include <vector>

namespace cowscope::record {

struct ShimSearch {
    std::string path;                   // absolute; empty if it was not found
    std::vector<std::string> searched;  // every place that was looked at, in order
};

// The file that COWSCOPE_SHIM names; without it libcowscope.so beside the running program, then
// where an installation puts it.
ShimSearch search_shim();

// The path; throws cowscope::Error naming the places searched.
std::string require_shim();

// Says in one clause why `program` (looked up as execvp(3) does) cannot have loaded the shim, for
// example "it is statically linked"; empty if nothing in its file tells.
std::string why_not_preloaded(const std::string& program);

}  // namespace cowscope::record
