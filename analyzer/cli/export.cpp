// `cowscope export`: a trace for other tools.
#include <array>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "cli/parse.h"
#include "cli/reading_progress.h"
#include "cli/record_options.h"
#include "cli/trace_argument.h"
#include "export/formats.h"

namespace cowscope::cli {

namespace {

struct Format {
    const char* name;
    std::unique_ptr<exports::Writer> (*make)(exports::Output* output);
    bool is_binary;
};

constexpr std::array kFormats = {
    Format{"pprof", exports::pprof_writer, true},
    Format{"collapsed", exports::collapsed_writer, false},
    Format{"speedscope", exports::speedscope_writer, false},
    Format{"jsonl", exports::jsonl_writer, false},
};

const Format& require_format(const std::string& name) {
    Arguments names;
    for (const Format& format : kFormats) {
        if (name == format.name) return format;
        names.emplace_back(format.name);
    }
    const std::string what =
        name.empty() ? "no --format given" : fmt::format("--format: unknown value '{}'", name);
    throw Error(fmt::format("{}; valid are {}{}", what, fmt::join(names, ", "),
                            name.empty() ? " (see cowscope export -h)" : ""));
}

}  // namespace

int export_command(const Arguments& arguments) {
    CLI::App app("Writes a trace's copies for other tools; every format has all of them.",
                 "cowscope export");
    set_usage(app, "cowscope export [TRACE] --format FORMAT [-o FILE]");
    app.footer(
        "Formats:\n"
        "  pprof       for `go tool pprof` and what reads its profiles\n"
        "  collapsed   stacks, one a line, for flamegraph.pl and its kin\n"
        "  speedscope  for https://www.speedscope.app\n"
        "  jsonl       one JSON object a line for each copied page, to load into a table\n"
        "\nExamples:\n"
        "  cowscope export demo.cow --format pprof -o demo.pb.gz\n"
        "  go tool pprof -top demo.pb.gz\n"
        "  cowscope export demo.cow --format collapsed | flamegraph.pl > demo.svg\n"
        "  cowscope export demo.cow --format speedscope -o demo.speedscope.json\n"
        "  cowscope export demo.cow --format jsonl -o demo.jsonl");
    std::string format_name;
    std::string file = "-";
    const TraceArgument argument(app);
    app.add_option("--format", format_name, "one of those below")->type_name("FORMAT");
    app.add_option("-o,--output", file, "where to; - is standard output (-)")->type_name("FILE");

    if (const auto status = parse(app, arguments)) return *status;
    if (file.empty()) throw Error("-o: no file named; - is standard output");
    const Format& format = require_format(format_name);
    const std::string trace = argument.folder();

    exports::Output output(file);
    if (format.is_binary && output.is_terminal()) {
        throw Error(fmt::format("{} is not for a terminal: give -o FILE, or send it elsewhere",
                                format.name));
    }
    const auto writer = format.make(&output);
    const exports::TraceFacts facts = with_progress(
        {trace}, argument.quiet(), [&] { return exports::export_trace(trace, writer.get()); });
    output.finish();
    for (const std::string& damage : facts.damage) {
        say(fmt::format("damaged trace: {}; what stands before it is exported", damage));
    }
    for (const std::string& note : facts.left_out) say(note);
    for (const std::string& line : facts.torn) {
        say(fmt::format("damaged trace: {}; left out, all others are exported", line));
    }
    return kSuccess;
}

}  // namespace cowscope::cli
