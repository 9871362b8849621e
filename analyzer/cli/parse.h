// Parsing that the commands share, on top of CLI11.
#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "cli/command.h"

namespace cowscope::cli {

// The line behind "Usage: " in the help of `app`.
void set_usage(CLI::App& app, const std::string& usage);

struct SplitArguments {
    Arguments own;      // options of the command, with their values
    Arguments program;  // the program and everything behind it, untouched
};

// Options of `app` end at "--", which belongs to nobody, or at the first argument that is neither
// an option nor an option's value.
SplitArguments split_at_program(const CLI::App& app, const Arguments& arguments);

// Parses `arguments` into what is bound to `app`. Returns the exit status if help was asked for and
// printed; throws cowscope::Error in one line for anything that is wrong.
std::optional<int> parse(CLI::App& app, const Arguments& arguments);

// Throws cowscope::Error listing `valid` unless `value` is one of them.
void require_one_of(const std::string& option, const std::string& value, const Arguments& valid);

// The newest trace in the current folder, for a command that was given none.
std::string newest_trace_here(const std::string& command);

// Writes to standard output; throws cowscope::Error if not all of it could be written.
void print(const std::string& text);

}  // namespace cowscope::cli
