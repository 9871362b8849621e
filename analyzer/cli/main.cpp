// cowscope: what fork() really costs. Finds the command and turns every error into one line.
#include <array>
#include <exception>
#include <new>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/parse.h"
#include "cli/record_options.h"
#include "trace/trace_file.h"

namespace cowscope::cli {

namespace {

struct Command {
    const char* name;
    const char* usage;
    const char* summary;
    int (*execute)(const Arguments& arguments);
};

constexpr std::array kCommands = {
    Command{"run", "run [options] -- PROGRAM...", "record, then report on stderr", run_command},
    Command{"record", "record [-o DIR] [options] -- PROGRAM...", "record only", record_command},
    Command{"report", "report [TRACE] [options]", "the report, as text or JSON", report_command},
    Command{"html", "html [TRACE] [-o FILE]", "one page for a browser; --diff compares two",
            html_command},
    Command{"diff", "diff BEFORE AFTER [options]", "what a change gained, cause by cause",
            diff_command},
    Command{"check", "check [TRACE] --max-copied SIZE ...", "limits, for CI", check_command},
    Command{"export", "export [TRACE] --format FORMAT [-o FILE]", "the copies, for other tools",
            export_command},
    Command{"dump", "dump TRACE", "one line a record", dump_command},
    Command{"doctor", "doctor", "what this machine allows, and what would allow more",
            doctor_command},
};

std::string command_names() {
    std::string names;
    for (const Command& command : kCommands) {
        if (!names.empty()) names += ", ";
        names += command.name;
    }
    return names;
}

constexpr size_t kSummaryColumn = 44;

std::string help() {
    std::string text =
        "cowscope: after fork(), which pages did each process copy, who wrote them, why?\n"
        "Usage: cowscope COMMAND [options] [--] [PROGRAM arguments...]\n\nCommands:\n";
    for (const Command& command : kCommands) {
        text += help_row(command.usage, command.summary, kSummaryColumn);
    }
    text +=
        "\nOptions:\n  -h, --help     this help; cowscope COMMAND -h for a command's\n"
        "  --version      the version\n\n"
        "Examples:\n"
        "  cowscope doctor\n"
        "  cowscope run -- python3 demo.py\n"
        "  cowscope html -o demo.html\n";
    return text;
}

int execute(const Arguments& arguments) {
    if (arguments.empty()) {
        throw Error(
            fmt::format("no command given; valid are {} (see cowscope -h)", command_names()));
    }
    const std::string& first = arguments.front();
    if (first == "-h" || first == "--help") {
        print(help());
        return kSuccess;
    }
    if (first == "--version") {
        print("cowscope " COWSCOPE_VERSION "\n");
        return kSuccess;
    }
    for (const Command& command : kCommands) {
        if (first == command.name) {
            return command.execute({arguments.begin() + 1, arguments.end()});
        }
    }
    throw Error(fmt::format("unknown {} '{}'; valid commands are {} (see cowscope -h)",
                            first.rfind('-', 0) == 0 ? "option" : "command", first,
                            command_names()));
}

}  // namespace

}  // namespace cowscope::cli

int main(int argc, char** argv) {
    try {
        return cowscope::cli::execute({argv + 1, argv + argc});
    } catch (const std::bad_alloc&) {
        const std::string& file = cowscope::trace::last_trace_file();
        cowscope::cli::say(file.empty() ? "out of memory"
                                        : file + ": out of memory; this file was read last");
    } catch (const std::exception& error) {
        cowscope::cli::say(error.what());
    } catch (...) {
        cowscope::cli::say("an unknown error");
    }
    return cowscope::cli::kUsageError;
}
