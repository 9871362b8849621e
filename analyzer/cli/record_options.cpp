#include "cli/record_options.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/parse_text.h"
#include "base/printable.h"
#include "cli/recording_progress.h"
#include "trace/aggregates.h"

namespace cowscope::cli {

void add_record_options(CLI::App& app, record::OptionTexts& texts) {
    app.add_option("--tracker", texts.tracker,
                   fmt::format("which pages were written: {} (COWSCOPE_TRACKER; auto)",
                               list_of(record::choice_names(record::trackers()))))
        ->type_name("NAME");
    app.add_option("--witness", texts.witness,
                   fmt::format("who wrote them: {} (COWSCOPE_WITNESS; auto)",
                               list_of(record::choice_names(record::witnesses()))))
        ->type_name("NAME");
    app.add_option("--sample", texts.sample,
                   "witness one first write in N; auto: all of the first 50,000 of a process, then "
                   "one in 4, 16, 64 ... (COWSCOPE_SAMPLE; auto)")
        ->type_name("N");
    app.add_option("--max-stack", texts.max_stack,
                   "native frames kept of a stack, 1 to 512 (COWSCOPE_MAX_STACK; 64)")
        ->type_name("N");
    app.add_option(
           "--max-trace", texts.max_trace,
           "size that the trace may have, at least 1M, as in 64M or 2G; what comes later is "
           "only counted for each place (COWSCOPE_MAX_TRACE; none)")
        ->type_name("SIZE");
    app.add_option("-o,--output", texts.output,
                   "folder of the trace, new or empty (COWSCOPE_OUTPUT; cowscope.PROG.PID.cow)")
        ->type_name("DIR");
    app.add_flag("--no-values", texts.no_values,
                 "keep no examples of the values of Python objects (COWSCOPE_VALUES=0)");
    app.add_flag("--quiet", texts.quiet, "no notes and no progress on stderr");
}

record::RecordResult record_with(const CLI::App& app, const record::OptionTexts& texts,
                                 const Arguments& program) {
    const record::RecordOptions options = record::resolve_options(texts, std::getenv);
    if (program.empty()) {
        throw Error(fmt::format("no program given (see {} -h)", app.get_name()));
    }
    if (options.quiet || isatty(STDERR_FILENO) == 0) {
        return record::record_program(options, program, say);
    }
    RecordingProgress progress(monotonic_ns());
    return record::record_program(options, program, say, [&](const observe::SeenSoFar& seen) {
        const uint64_t now_ns = monotonic_ns();
        const auto line = progress.line_at(now_ns, seen);
        if (line) say(*line);
        return progress.due_in(now_ns);
    });
}

void say_bound(const record::TraceFolder& folder) {
    std::vector<std::string> damage;  // the report's notes name it
    const auto bound = trace::read_bound(folder.path, &damage);
    if (!bound || bound->reached_ns == 0) return;
    say(fmt::format("{} reached its bound of {} bytes; what was copied later was only counted",
                    folder.shown, bound->limit_bytes));
}

void say(const std::string& line) {
    // Names of files and arguments may hold anything. The promise is one line, and no file of a
    // trace steers the terminal.
    const std::string text = "cowscope: " + printable(line) + '\n';
    // One write, so that the line stays whole among what the program writes.
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
}

}  // namespace cowscope::cli
