#include "options.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace cowscope::workload {
namespace {

constexpr char kHelp[] =
    R"(string_map: builds a map from id to string, forks children, and each child reads every value.

usage: string_map [options]
  --entries N      entries of the map (default 1000000; with --input: every line)
  --unique K       different contents among the values (default 300; no effect with --input)
  --length L       characters of each value (default 10, the fewest; no effect with --input)
  --children C     children to fork (default 2)
  --values KIND    what holds a value:
                     refcounted  an object with a count of its own, read through a counted
                                 reference (default)
                     interned    the same, but equal values share one object
                     shared_ptr  std::shared_ptr<std::string>
                     cow-string  libstdc++'s old reference-counted std::string
                     plain       std::string, read without any count
  --read ORDER     key: look up every id in turn (default); iterate: walk the map
  --input FILE     take values from the third '|'-separated field of each line
  --truth FILE     write, as JSON, the pages that the reference counts lie on, per child
  --child-exit HOW how a child leaves: exit (default), _exit, quick_exit or return
  --no-memory      leave out every figure that differs from run to run
  --timing         print the time of each fork and each child's reading on stderr
  --pause SECONDS  each child waits so long before and after it reads, time to look at
                   its memory
  -h, --help       this text
)";

template <class T>
struct Choice {
    const char* name;
    T value;
};

constexpr Choice<ValueKind> kValueKinds[] = {
    {"refcounted", ValueKind::refcounted}, {"interned", ValueKind::interned},
    {"shared_ptr", ValueKind::shared_ptr}, {"cow-string", ValueKind::cow_string},
    {"plain", ValueKind::plain},
};
constexpr Choice<ReadOrder> kReadOrders[] = {
    {"key", ReadOrder::key},
    {"iterate", ReadOrder::iterate},
};
constexpr Choice<ChildExit> kChildExits[] = {
    {"exit", ChildExit::exit},
    {"_exit", ChildExit::underscore_exit},
    {"quick_exit", ChildExit::quick_exit},
    {"return", ChildExit::return_},
};

[[noreturn]] void usage_error(const std::string& what) {
    std::fprintf(stderr, "string_map: %s (string_map -h lists the options)\n", what.c_str());
    std::exit(2);
}

template <class T>
T choose(std::span<const Choice<T>> choices, std::string_view option, std::string_view text) {
    std::string valid;
    for (const Choice<T>& choice : choices) {
        if (text == choice.name) return choice.value;
        valid += (valid.empty() ? "" : ", ") + std::string(choice.name);
    }
    usage_error(std::string(option) + ": unknown value '" + std::string(text) +
                "', valid are: " + valid);
}

uint64_t number(std::string_view option, std::string_view text, uint64_t max) {
    uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end || value < 1 || value > max) {
        usage_error(std::string(option) + ": '" + std::string(text) +
                    "' is not a number from 1 to " + std::to_string(max));
    }
    return value;
}

template <class T>
const char* name_in(std::span<const Choice<T>> choices, T value) {
    for (const Choice<T>& choice : choices) {
        if (choice.value == value) return choice.name;
    }
    return "?";
}

// Takes "--option value" and "--option=value".
class Arguments {
  public:
    Arguments(int argc, char** argv) : argc_(argc), argv_(argv) {}

    bool next() {
        if (++index_ >= argc_) return false;
        const std::string_view argument = argv_[index_];
        const size_t equals = argument.starts_with("--") ? argument.find('=') : argument.npos;
        option_ = argument.substr(0, equals);
        attached_ = equals == argument.npos ? nullptr : argv_[index_] + equals + 1;
        return true;
    }

    std::string_view option() const { return option_; }

    // Zero-terminated: a part of argv.
    const char* value() {
        if (attached_) return attached_;
        if (++index_ >= argc_) usage_error(std::string(option_) + " needs a value");
        return argv_[index_];
    }

    void expect_no_value() const {
        if (attached_) usage_error(std::string(option_) + " takes no value");
    }

  private:
    int argc_;
    char** argv_;
    int index_ = 0;
    std::string_view option_;
    const char* attached_ = nullptr;
};

}  // namespace

const char* name_of(ValueKind kind) {
    return name_in<ValueKind>(kValueKinds, kind);
}
const char* name_of(ReadOrder order) {
    return name_in<ReadOrder>(kReadOrders, order);
}

Options parse_options(int argc, char** argv) {
    constexpr uint64_t kMaxEntries = std::numeric_limits<uint32_t>::max();
    constexpr uint64_t kMaxChildren = 4096;
    constexpr uint64_t kMaxLength = 1 << 20;
    constexpr uint64_t kMaxPauseSeconds = 3600;
    Options options;
    Arguments arguments(argc, argv);
    while (arguments.next()) {
        const std::string_view option = arguments.option();
        if (option == "-h" || option == "--help") {
            std::fputs(kHelp, stdout);
            std::exit(0);
        } else if (option == "--entries") {
            options.entries = number(option, arguments.value(), kMaxEntries);
        } else if (option == "--unique") {
            options.unique = number(option, arguments.value(), kMaxEntries);
        } else if (option == "--length") {
            options.length = number(option, arguments.value(), kMaxLength);
            if (options.length < kShortestText) {
                usage_error("--length: a value has at least " + std::to_string(kShortestText) +
                            " characters");
            }
        } else if (option == "--children") {
            options.children =
                static_cast<uint32_t>(number(option, arguments.value(), kMaxChildren));
        } else if (option == "--values") {
            options.values = choose<ValueKind>(kValueKinds, option, arguments.value());
        } else if (option == "--read") {
            options.read = choose<ReadOrder>(kReadOrders, option, arguments.value());
        } else if (option == "--child-exit") {
            options.child_exit = choose<ChildExit>(kChildExits, option, arguments.value());
        } else if (option == "--input") {
            options.input = arguments.value();
        } else if (option == "--truth") {
            options.truth = arguments.value();
        } else if (option == "--no-memory") {
            arguments.expect_no_value();
            options.show_memory = false;
        } else if (option == "--timing") {
            arguments.expect_no_value();
            options.show_timing = true;
        } else if (option == "--pause") {
            options.pause_seconds =
                static_cast<uint32_t>(number(option, arguments.value(), kMaxPauseSeconds));
        } else if (option.starts_with('-')) {
            usage_error("unknown option '" + std::string(option) + "'");
        } else {
            usage_error("unexpected argument '" + std::string(option) + "'");
        }
    }
    return options;
}

}  // namespace cowscope::workload
