// `cowscope run`: records a program, then prints the text report.
#include <unistd.h>

#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include "attribute/build_report.h"
#include "cli/parse.h"
#include "cli/reading_progress.h"
#include "cli/record_options.h"
#include "cli/terminal.h"
#include "report/report.h"

namespace cowscope::cli {

namespace {

// The program has ended and its exit status counts: what goes wrong here is said, not thrown.
void print_report(const record::TraceFolder& folder, bool quiet) {
    try {
        const attribute::Report report = with_progress(
            {folder.path}, quiet, [&] { return attribute::build_report(folder.path); });
        const std::string text = report::to_text(report, text_options_for(STDERR_FILENO));
        std::fwrite(text.data(), 1, text.size(), stderr);
    } catch (const std::exception& error) {
        say(error.what());
    }
    if (!quiet) say_bound(folder);
    say(fmt::format("the trace is kept in {0} (cowscope report {0})", folder.shown));
}

}  // namespace

int run_command(const Arguments& arguments) {
    CLI::App app(
        "Runs a program and reports which pages its processes copied after fork, and why.\n"
        "The report goes to standard error, so that the program's output stays as it is.",
        "cowscope run");
    set_usage(app, "cowscope run [options] [--] PROGRAM [arguments...]");
    app.footer(
        "Exit status: the program's own (128 + n for signal n); 2 if it was not started.\n\n"
        "Examples:\n"
        "  cowscope run -- python3 demo.py --size 10\n"
        "  cowscope run -o demo.cow --no-values -- ./server --workers 4");
    record::OptionTexts texts;
    add_record_options(app, texts);

    const SplitArguments split = split_at_program(app, arguments);
    if (const auto status = parse(app, split.own)) return *status;

    record::RecordResult result = record_with(app, texts, split.program);
    if (result.has_segments) print_report(result.folder, texts.quiet);
    // No signal may turn it into another status any more.
    static_cast<void>(result.gate.release());
    return result.launch.ending.status();
}

}  // namespace cowscope::cli
