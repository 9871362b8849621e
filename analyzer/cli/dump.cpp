// `cowscope dump`: a trace record by record.
#include "trace/dump.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "base/error.h"
#include "cli/parse.h"

namespace cowscope::cli {

int dump_command(const Arguments& arguments) {
    CLI::App app("Prints a trace, one line a record.", "cowscope dump");
    set_usage(app, "cowscope dump TRACE");
    app.footer("Examples:\n  cowscope dump demo.cow | grep event");
    std::string folder;
    app.add_option("TRACE", folder, "folder of the trace")->type_name("");

    if (const auto status = parse(app, arguments)) return *status;
    if (folder.empty()) throw Error("no trace given (see cowscope dump -h)");

    trace::dump(folder, stdout);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
        throw Error(fmt::format("cannot write to standard output: {}", std::strerror(errno)));
    }
    return kSuccess;
}

}  // namespace cowscope::cli
