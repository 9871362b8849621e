// `cowscope check`: limits on what a program may copy, for CI.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "attribute/build_report.h"
#include "base/error.h"
#include "base/parse_text.h"
#include "base/printable.h"
#include "cli/command.h"
#include "cli/parse.h"
#include "cli/reading_progress.h"
#include "cli/trace_argument.h"
#include "compare/limits.h"
#include "report/format.h"
#include "runtime/verdict.h"

namespace cowscope::cli {

namespace {

uint64_t size_of(const std::string& option, const std::string& text) {
    const auto size = parse_size(text);
    if (!size) {
        throw Error(fmt::format(
            "{}: unknown size '{}'; valid are numbers with B, K, M, G or T behind them (64M)",
            option, text));
    }
    return *size;
}

// "refcount=64M".
void take_cause_limit(const std::string& text, compare::Limits* limits) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
        throw Error(fmt::format("--max-cause: '{}' is not CAUSE=SIZE (refcount=64M)", text));
    }
    const std::string cause = text.substr(0, equals);
    const auto& known = runtime::kCauseNames;
    const auto found = std::find(known.begin(), known.end(), cause);
    if (found == known.end()) {
        throw Error(fmt::format("--max-cause: unknown cause '{}'; valid are {}", cause,
                                fmt::join(known, ", ")));
    }
    limits->copied_cause[static_cast<runtime::Cause>(found - known.begin())] =
        size_of("--max-cause", text.substr(equals + 1));
}

std::string table_of(const std::vector<compare::Finding>& findings) {
    constexpr const char* kRow = "{:<38}{:>12}{:>12}{}\n";
    std::string text = fmt::format(fmt::runtime(kRow), "", "allowed", "found", "");
    for (const compare::Finding& finding : findings) {
        text += fmt::format(fmt::runtime(kRow), printable(finding.what),
                            report::size_text(finding.limit), report::size_text(finding.found),
                            finding.is_over()
                                ? "  over by " + report::size_text(finding.found - finding.limit)
                                : "  ok");
    }
    return text;
}

}  // namespace

int check_command(const Arguments& arguments) {
    CLI::App app("Holds a trace against limits. Exit status 1 where it is over one.",
                 "cowscope check");
    set_usage(app, "cowscope check [TRACE] --max-copied SIZE [options]");
    app.footer(
        "SIZE: a number of bytes, or with K, M, G or T (powers of 1024; KB, MB: of 1000).\n\n"
        "Examples:\n"
        "  cowscope check demo.cow --max-copied 64M\n"
        "  cowscope check demo.cow --max-per-process 16M --max-cause refcount=8M");
    std::optional<std::string> copied;
    std::optional<std::string> per_process;
    std::vector<std::string> causes;
    const TraceArgument argument(app);
    app.add_option("--max-copied", copied, "by all processes together")->type_name("SIZE");
    app.add_option("--max-per-process", per_process, "by each process")->type_name("SIZE");
    app.add_option("--max-cause", causes, "by all together, for one cause; may be repeated")
        ->type_name("CAUSE=SIZE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    if (const auto status = parse(app, arguments)) return *status;

    compare::Limits limits;
    if (copied) limits.copied = size_of("--max-copied", *copied);
    if (per_process) limits.per_process = size_of("--max-per-process", *per_process);
    for (const std::string& cause : causes) take_cause_limit(cause, &limits);
    if (!limits.any()) {
        throw Error(
            "no limit given; valid are --max-copied, --max-per-process and --max-cause (see "
            "cowscope check -h)");
    }
    const std::string trace = argument.folder();
    const attribute::Report report =
        with_progress({trace}, argument.quiet(), [&] { return attribute::build_report(trace); });
    const auto findings = compare::hold_against(limits, report);
    std::string text = table_of(findings);
    // What a trace may lack makes it look better than it is.
    for (const std::string& note : report.notes) text += "note: " + printable(note) + "\n";
    print(text);
    const bool over = std::any_of(findings.begin(), findings.end(),
                                  [](const compare::Finding& each) { return each.is_over(); });
    return over ? kCheckFailed : kSuccess;
}

}  // namespace cowscope::cli
