#include "cli/trace_argument.h"

#include <fmt/format.h>

#include "error.h"
#include "record/trace_folder.h"

namespace cowscope::cli {

std::string newest_trace(const std::string& command) {
    std::string trace = record::newest_trace(".");
    if (trace.empty()) {
        throw Error(fmt::format(
            "no trace given, and the current directory has no *.cow folder that holds one (see "
            "cowscope {} -h)",
            command));
    }
    return trace;
}

}  // namespace cowscope::cli
