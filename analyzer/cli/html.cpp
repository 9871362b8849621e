// `cowscope html`: a trace as one page for a browser.
#include "report/html.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "attribute/build_report.h"
#include "attribute/details.h"
#include "base/error.h"
#include "base/write_file.h"
#include "cli/parse.h"
#include "cli/reading_progress.h"
#include "cli/record_options.h"
#include "cli/trace_argument.h"
#include "report/format.h"

namespace cowscope::cli {

namespace {

namespace fs = std::filesystem;

// "demo" for "some/demo.cow/".
std::string name_of(const std::string& trace) {
    std::error_code error;
    fs::path path = fs::weakly_canonical(trace, error);
    if (error || path.filename().empty()) path = "trace";
    if (path.extension() == ".cow") path = path.stem();
    return path.filename().string();
}

// What is no earlier page is somebody's own file.
void require_replaceable(const std::string& file) {
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    if (!fs::exists(status) || fs::is_other(status) || fs::is_character_file(status)) return;
    std::string start(64, '\0');
    if (fs::is_regular_file(status)) {
        std::ifstream stream(file, std::ios::binary);
        stream.read(start.data(), static_cast<std::streamsize>(start.size()));
        start.resize(static_cast<size_t>(stream.gcount()));
        if (start.empty()) return;
    }
    if (fs::is_regular_file(status) && report::starts_like_html(start)) return;
    throw Error(
        fmt::format("'{}' exists and is no page of cowscope's; -o names another file", file));
}

std::string page_about(const std::string& trace) {
    attribute::Details details;
    const attribute::Report report = attribute::build_report(trace, std::nullopt, &details);
    return report::to_html({&report, &details});
}

std::string page_about_change(const std::string& before_trace, const std::string& after_trace) {
    attribute::Details before_details;
    attribute::Details after_details;
    const attribute::Report before =
        attribute::build_report(before_trace, std::nullopt, &before_details);
    const attribute::Report after =
        attribute::build_report(after_trace, std::nullopt, &after_details);
    return report::to_html({&before, &before_details}, {&after, &after_details});
}

// For its owner alone, as the trace is: values of the program stand in both.
void write_page(const std::string& file, const std::string& page) {
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    int failure = 0;
    if (fs::exists(status) && !fs::is_regular_file(status)) {
        // A device or a pipe: nothing to replace.
        std::FILE* stream = std::fopen(file.c_str(), "we");
        if (stream == nullptr) {
            failure = errno;
        } else {
            if (std::fwrite(page.data(), 1, page.size(), stream) != page.size()) failure = errno;
            if (std::fclose(stream) != 0 && failure == 0) failure = errno;
        }
    } else {
        // Behind a link.
        const fs::path target = fs::exists(status) ? fs::canonical(file, error) : fs::path(file);
        failure = replace_file(error ? file : target.string(), page);
    }
    if (failure != 0) {
        throw Error(fmt::format("cannot write '{}': {}", file, std::strerror(failure)));
    }
}

}  // namespace

int html_command(const Arguments& arguments) {
    CLI::App app(
        "Writes a trace as one page that any browser shows, without a network: who copied\n"
        "what, when, where and why, with a flame graph and a map of the memory. With\n"
        "--diff, what changed from one trace to another.",
        "cowscope html");
    set_usage(
        app, "cowscope html [TRACE] [-o FILE]\n       cowscope html --diff BEFORE AFTER [-o FILE]");
    app.footer(
        "An earlier page is replaced; any other file that exists is an error.\n\n"
        "Examples:\n"
        "  cowscope html demo.cow\n"
        "  cowscope html demo.cow -o demo.html\n"
        "  cowscope html --diff before.cow after.cow -o gained.html");
    std::vector<std::string> traces;
    bool is_diff = false;
    std::optional<std::string> output;
    app.add_option("TRACE", traces, "folder of the trace; the newest *.cow here if not given")
        ->type_name("")
        ->expected(0, 2);
    app.add_flag("--diff", is_diff, "what changed from one trace, BEFORE, to another, AFTER");
    app.add_option("-o,--output", output,
                   "the page, or - for standard output (TRACE.html or BEFORE-AFTER.html here)")
        ->type_name("FILE");

    bool quiet = false;
    add_reading_options(app, quiet);

    if (const auto status = parse(app, arguments)) return *status;
    if (is_diff && traces.size() != 2) {
        throw Error("--diff needs two traces, BEFORE and AFTER (see cowscope html -h)");
    }
    if (!is_diff && traces.size() > 1) {
        throw Error(fmt::format(
            "unexpected argument '{}'; --diff compares two traces (see cowscope html -h)",
            traces[1]));
    }
    if (traces.empty()) traces.push_back(newest_trace(app.get_name(), quiet));
    std::string file = name_of(traces[0]) + (is_diff ? "-" + name_of(traces[1]) : "") + ".html";
    if (output) file = *output;
    if (file.empty()) throw Error("-o: the name of the page is empty (see cowscope html -h)");
    // Before the work.
    if (file != "-") require_replaceable(file);

    const std::string page = with_progress(traces, quiet, [&] {
        return is_diff ? page_about_change(traces[0], traces[1]) : page_about(traces[0]);
    });
    if (file == "-") {
        print(page);
        return kSuccess;
    }
    write_page(file, page);
    say(fmt::format("the page is {} ({})", file, report::size_text(page.size())));
    return kSuccess;
}

}  // namespace cowscope::cli
