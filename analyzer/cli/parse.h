// Parsing that the commands share, on top of CLI11.
#pragma once

#include <limits>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/parse_text.h"
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

// An option that takes one of a few words. Its help, its error and what is taken come from the one
// list.
struct WordOption {
    std::string name;  // "--format"
    Arguments words;
    std::string type_name;

    // The help is `what` with the list of words and the default, which is what `value` holds.
    void add_to(CLI::App& app, std::string& value, const std::string& what = "") const;
    // Throws cowscope::Error unless `value` is one of the words.
    void check(const std::string& value) const;
};

inline const WordOption kTextOrJson = {"--format", {"text", "json"}, "FORMAT"};

// A whole number from 1 on; throws cowscope::Error for anything else.
template <typename Number>
Number require_positive(const std::string& option, const std::string& text) {
    constexpr Number kMost = std::numeric_limits<Number>::max();
    if (const auto value = parse_positive<Number>(text, kMost)) return *value;
    throw unknown_value(option, text, fmt::format("whole numbers from 1 to {}", kMost));
}

// Writes to standard output; throws cowscope::Error if not all of it could be written.
void print(const std::string& text);

}  // namespace cowscope::cli
