// `cowscope report`: a trace as text or JSON.
#include "report/report.h"

#include <unistd.h>

#include <optional>

#include <fmt/format.h>

#include "attribute/build_report.h"
#include "base/error.h"
#include "cli/parse.h"
#include "cli/reading_progress.h"
#include "cli/terminal.h"
#include "cli/trace_argument.h"

namespace cowscope::cli {

int report_command(const Arguments& arguments) {
    CLI::App app("Reports what a trace says: which pages were copied, by whom and why.",
                 "cowscope report");
    set_usage(app, "cowscope report [TRACE] [options]");
    app.footer(
        "Examples:\n"
        "  cowscope report demo.cow --by site --top 5\n"
        "  cowscope report demo.cow --process 1372\n"
        "  cowscope report demo.cow --format json | jq .totals");
    std::string by = "cause";
    std::string format = "text";
    std::optional<std::string> process;
    std::optional<std::string> top;
    const TraceArgument argument(app);
    const WordOption grouping = {"--by", {"cause", "site", "type", "owner", "process"}, "WHAT"};
    grouping.add_to(app, by, "group by ");
    app.add_option("--process", process, "this process only")->type_name("PID");
    kTextOrJson.add_to(app, format);
    app.add_option("--top", top, "rows of each table (10)")->type_name("N");
    bool native = false;
    app.add_flag("--native", native, "the interpreter's own frames instead of Python's");

    if (const auto status = parse(app, arguments)) return *status;
    grouping.check(by);
    kTextOrJson.check(format);

    report::TextOptions options = text_options_for(STDOUT_FILENO);
    options.by = by;
    options.native = native;
    std::optional<int> pid;
    if (process) pid = require_positive<int>("--process", *process);
    if (top) options.top = require_positive<unsigned>("--top", *top);

    const std::string trace = argument.folder();
    const attribute::Report report = with_progress(
        {trace}, argument.quiet(), [&] { return attribute::build_report(trace, pid); });
    print(format == "json" ? report::to_json(report) : report::to_text(report, options));
    return kSuccess;
}

}  // namespace cowscope::cli
