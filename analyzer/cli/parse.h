// Parsing that the commands share, on top of CLI11.
#pragma once

#include <charconv>
#include <limits>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/error.h"
#include "cli/command.h"

namespace cowscope::cli {

// The line behind "Usage: " in the help of `app`.
void set_usage(CLI::App& app, const std::string& usage);

// A row of a help text: `term`, and behind `column` the words of `text` in lines of 80 columns.
std::string help_row(const std::string& term, const std::string& text, size_t column);

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

// A whole number from 1 on; throws cowscope::Error for anything else.
template <typename Number>
Number parse_positive(const std::string& option, const std::string& text) {
    Number value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, failure] = std::from_chars(text.data(), end, value);
    if (failure != std::errc{} || stop != end || value < 1) {
        throw Error(fmt::format("{}: unknown value '{}'; valid are whole numbers from 1 to {}",
                                option, text, std::numeric_limits<Number>::max()));
    }
    return value;
}

// Writes to standard output; throws cowscope::Error if not all of it could be written.
void print(const std::string& text);

}  // namespace cowscope::cli
