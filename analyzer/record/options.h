// What `run` and `record` can be told, and how it reaches the shim.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/choice.h"

namespace cowscope::record {

inline constexpr unsigned kDefaultMaxStack = 64;  // frames
// The shim takes no larger one.
inline constexpr uint32_t kMaxSample = 1'000'000'000;

struct RecordOptions {
    Choice tracker;
    Choice witness;
    std::optional<uint32_t> sample;         // one fault in `*sample` is witnessed; empty: auto
    unsigned max_stack = kDefaultMaxStack;  // frames
    std::optional<uint64_t> max_trace;      // bytes that the trace may have; empty: any number
    std::optional<std::string> output;      // folder of the trace; empty: cowscope.PROG.PID.cow
    bool values = true;                     // keep examples of values of written objects
    bool quiet = false;                     // no notes on stderr
};

// Spelled as on the command line and in the environment.
std::string name_of_sample(const std::optional<uint32_t>& sample);

// `source` names the option or variable in the error that is thrown for a value that is not valid.
std::optional<uint32_t> parse_sample(std::string_view source, std::string_view text);
// "0" or "1".
bool parse_values(std::string_view source, std::string_view text);
unsigned parse_max_stack(std::string_view source, std::string_view text);
// In bytes (base/parse_text.h).
uint64_t parse_max_trace(std::string_view source, std::string_view text);

// The texts of the command line, each empty where the option was not given.
struct OptionTexts {
    std::optional<std::string> tracker;
    std::optional<std::string> witness;
    std::optional<std::string> sample;
    std::optional<std::string> max_stack;
    std::optional<std::string> max_trace;
    std::optional<std::string> output;
    bool no_values = false;
    bool quiet = false;
};

// Like getenv(3): nullptr for a variable that is not set.
using EnvironmentLookup = std::function<const char*(const char* name)>;

// The command line wins over the variables COWSCOPE_*, these over the defaults. A variable that is
// empty counts as not set. Throws cowscope::Error for a value that is not valid.
RecordOptions resolve_options(const OptionTexts& texts, const EnvironmentLookup& environment);

// `inherited` ("NAME=VALUE" each) with LD_PRELOAD and COWSCOPE_* added or replaced, an option for
// programs that are built with ASan, and everything else as it is. `shim` and `output` are absolute
// paths. Throws cowscope::Error if LD_PRELOAD cannot express the path of the shim.
std::vector<std::string> compose_environment(const std::vector<std::string>& inherited,
                                             const RecordOptions& options, const std::string& shim,
                                             const std::string& output);

}  // namespace cowscope::record
