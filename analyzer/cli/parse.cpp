#include "cli/parse.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace cowscope::cli {

namespace {

constexpr size_t kHelpWidth = 80;
constexpr size_t kHelpIndent = 2;
constexpr size_t kOptionColumn = 28;

// The help of a command. CLI11's own does not wrap, or wraps examples too: that differs with its
// versions.
class HelpFormatter : public CLI::FormatterBase {
  public:
    explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) {}

    std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode) const override {
        std::string arguments;
        std::string options;
        for (const CLI::Option* option : app->get_options()) {
            const bool is_argument = option->get_positional();
            std::string name = option->get_name(is_argument, !is_argument);
            if (const size_t comma = name.find(','); comma != std::string::npos) {
                name.insert(comma + 1, " ");
            }
            if (!option->get_type_name().empty()) name += ' ' + option->get_type_name();
            (is_argument ? arguments : options) +=
                help_row(name, option->get_description(), kOptionColumn);
        }
        std::string text = app->get_description() + "\nUsage: " + usage_ + '\n';
        if (!arguments.empty()) text += "\nArguments:\n" + arguments;
        text += "\nOptions:\n" + options;
        if (!app->get_footer().empty()) text += '\n' + app->get_footer() + '\n';
        return text;
    }

  private:
    std::string usage_;
};

// Options that this asks about are bound to one value or are flags.
bool takes_value(const CLI::App& app, const std::string& name) {
    const CLI::Option* option = app.get_option_no_throw(name);
    return option != nullptr && option->get_items_expected_max() > 0;
}

// Whether the value of the option in `argument` is the argument behind it.
bool value_follows(const CLI::App& app, const std::string& argument) {
    if (argument.rfind("--", 0) == 0) {
        return argument.find('=') == std::string::npos && takes_value(app, argument);
    }
    // Letters may be joined, "-qo DIR", and the value to its letter, "-oDIR".
    for (size_t at = 1; at < argument.size(); ++at) {
        if (takes_value(app, std::string("-") + argument[at])) return at + 1 == argument.size();
    }
    return false;
}

bool is_option(const std::string& argument) {
    return argument.size() > 1 && argument[0] == '-';
}

std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

[[noreturn]] void refuse_extra(const CLI::App& app) {
    const Arguments extra = app.remaining();
    const std::string first = extra.empty() ? std::string() : extra.front();
    throw Error(fmt::format("{} '{}' (see {} -h)",
                            is_option(first) ? "unknown option" : "unexpected argument", first,
                            app.get_name()));
}

}  // namespace

std::string help_row(const std::string& term, const std::string& text, size_t column) {
    std::string row = std::string(kHelpIndent, ' ') + term;
    size_t width = row.size();
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        if (width >= column && width + 1 + word.size() > kHelpWidth) {
            row += '\n';
            width = 0;
        }
        const size_t blanks = width < column ? column - width : 1;
        row += std::string(blanks, ' ') + word;
        width += blanks + word.size();
    }
    return row + '\n';
}

void set_usage(CLI::App& app, const std::string& usage) {
    app.formatter(std::make_shared<HelpFormatter>(usage));
    app.set_help_flag("-h,--help", "this help");
}

SplitArguments split_at_program(const CLI::App& app, const Arguments& arguments) {
    size_t at = 0;
    while (at < arguments.size() && arguments[at] != "--" && is_option(arguments[at])) {
        at += value_follows(app, arguments[at]) ? 2 : 1;
    }
    const size_t end_of_own = std::min(at, arguments.size());
    size_t program = end_of_own;
    if (program < arguments.size() && arguments[program] == "--") ++program;

    const auto position = [&arguments](size_t index) {
        return arguments.begin() + static_cast<Arguments::difference_type>(index);
    };
    return {{arguments.begin(), position(end_of_own)}, {position(program), arguments.end()}};
}

std::optional<int> parse(CLI::App& app, const Arguments& arguments) {
    if (!arguments.empty() && is_option(arguments.back()) && value_follows(app, arguments.back())) {
        throw Error(
            fmt::format("option {} needs a value (see {} -h)", arguments.back(), app.get_name()));
    }
    // CLI11 takes arguments from the back.
    Arguments reversed(arguments.rbegin(), arguments.rend());
    try {
        app.parse(std::move(reversed));
    } catch (const CLI::CallForHelp&) {
        print(app.help());
        return kSuccess;
    } catch (const CLI::ExtrasError&) {
        refuse_extra(app);
    } catch (const CLI::ParseError& error) {
        throw Error(fmt::format("{} (see {} -h)", one_line(error.what()), app.get_name()));
    }
    return std::nullopt;
}

void WordOption::add_to(CLI::App& app, std::string& value, const std::string& what) const {
    app.add_option(name, value, fmt::format("{}{} ({})", what, list_of(words), value))
        ->type_name(type_name);
}

void WordOption::check(const std::string& value) const {
    require_one_of(name, value, words);
}

void print(const std::string& text) {
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    if (!written || std::fflush(stdout) != 0) {
        throw Error(fmt::format("cannot write to standard output: {}", std::strerror(errno)));
    }
}

}  // namespace cowscope::cli
