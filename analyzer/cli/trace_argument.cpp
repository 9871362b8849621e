#include "cli/trace_argument.h"

#include <fmt/format.h>

#include "base/error.h"
#include "cli/parse.h"
#include "cli/record_options.h"
#include "record/trace_folder.h"

namespace cowscope::cli {

std::string newest_trace(const std::string& command, bool quiet) {
    std::string newest = record::newest_trace(".");
    if (newest.empty()) {
        throw Error(
            fmt::format("no trace given, and the current directory has no *.cow folder of this "
                        "user's that holds "
                        "one (see {} -h)",
                        command));
    }
    if (!quiet) say(fmt::format("{}, the newest trace here", newest));
    return newest;
}

void add_reading_options(CLI::App& app, bool& quiet) {
    app.add_flag("--quiet", quiet, "no progress on stderr");
}

TraceArgument::TraceArgument(CLI::App& app) : command_(app.get_name()) {
    app.add_option("TRACE", named_, "folder of the trace; the newest *.cow here if not given")
        ->type_name("");
    add_reading_options(app, quiet_);
}

std::string TraceArgument::folder() const {
    return named_ ? *named_ : newest_trace(command_, quiet_);
}

}  // namespace cowscope::cli
