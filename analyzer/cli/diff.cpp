// `cowscope diff`: what a change gained.
#include "report/diff.h"

#include <unistd.h>

#include "attribute/build_report.h"
#include "cli/parse.h"
#include "cli/reading_progress.h"
#include "cli/terminal.h"
#include "cli/trace_argument.h"

namespace cowscope::cli {

int diff_command(const Arguments& arguments) {
    CLI::App app("Compares two traces: what a change gained, cause by cause.", "cowscope diff");
    set_usage(app, "cowscope diff BEFORE AFTER [options]");
    app.footer(
        "Where the numbers of forked processes differ, figures are for each of them.\n\n"
        "Examples:\n"
        "  cowscope diff before.cow after.cow\n"
        "  cowscope diff before.cow after.cow --format json | jq .copied");
    std::string before;
    std::string after;
    std::string format = "text";
    std::optional<std::string> top;
    app.add_option("BEFORE", before, "folder of the trace before the change")
        ->type_name("")
        ->required();
    app.add_option("AFTER", after, "folder of the trace after it")->type_name("")->required();
    kTextOrJson.add_to(app, format);
    app.add_option("--top", top, "rows of each table (10)")->type_name("N");
    bool quiet = false;
    add_reading_options(app, quiet);
    if (const auto status = parse(app, arguments)) return *status;
    kTextOrJson.check(format);

    report::TextOptions options = text_options_for(STDOUT_FILENO);
    if (top) options.top = require_positive<unsigned>("--top", *top);
    const compare::Diff diff = with_progress({before, after}, quiet, [&] {
        return compare::compare(attribute::build_report(before), attribute::build_report(after));
    });
    print(format == "json" ? report::to_json(diff) : report::to_text(diff, options));
    return kSuccess;
}

}  // namespace cowscope::cli
