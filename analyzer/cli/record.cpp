// `cowscope record`: records a program and leaves the trace.
#include <fmt/format.h>

#include "cli/parse.h"
#include "cli/record_options.h"

namespace cowscope::cli {

int record_command(const Arguments& arguments) {
    CLI::App app("Records which pages a program's processes copy after fork, and why.",
                 "cowscope record");
    set_usage(app, "cowscope record [options] [--] PROGRAM [arguments...]");
    app.footer(
        "Exit status: the program's own (128 + n for signal n); 2 if it was not started.\n\n"
        "Examples:\n"
        "  cowscope record -o demo.cow -- python3 demo.py\n"
        "  cowscope report demo.cow");
    record::OptionTexts texts;
    add_record_options(app, texts);

    const SplitArguments split = split_at_program(app, arguments);
    if (const auto status = parse(app, split.own)) return *status;

    record::RecordResult result = record_with(app, texts, split.program);
    if (result.has_segments && !texts.quiet) {
        say_bound(result.folder);
        say(fmt::format("recorded in {0} (cowscope report {0})", result.folder.shown));
    }
    // No signal may turn it into another status any more.
    static_cast<void>(result.gate.release());
    return result.launch.ending.status();
}

}  // namespace cowscope::cli
