#include "record/options.h"

#include <unistd.h>

#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "base/parse_text.h"
#include "preload/format/aggregate_format.h"
#include "preload/format/trace_format.h"
#include "record/machine.h"

namespace cowscope::record {

std::string name_of_sample(const std::optional<uint32_t>& sample) {
    return sample ? std::to_string(*sample) : "auto";
}

std::optional<uint32_t> parse_sample(std::string_view source, std::string_view text) {
    if (text == "auto") return std::nullopt;
    if (const auto value = parse_positive<uint32_t>(text, kMaxSample)) return value;
    throw unknown_value(source, text,
                        fmt::format("auto and whole numbers from 1 to {}", kMaxSample));
}

unsigned parse_max_stack(std::string_view source, std::string_view text) {
    if (const auto value = parse_positive<uint32_t>(text, trace::kMaxStackDepth)) return *value;
    throw unknown_value(source, text,
                        fmt::format("whole numbers from 1 to {}", trace::kMaxStackDepth));
}

uint64_t parse_max_trace(std::string_view source, std::string_view text) {
    const auto size = parse_size(text);
    if (size && *size >= trace::kLeastMaxTrace) return *size;
    throw unknown_value(source, text, "sizes of at least 1M, as in 512M, 2G or 1500000");
}

bool parse_values(std::string_view source, std::string_view text) {
    if (text == "0" || text == "1") return text == "1";
    throw unknown_value(source, text, "0, 1");
}

RecordOptions resolve_options(const OptionTexts& texts, const EnvironmentLookup& environment) {
    // Hands `use` the text that counts, with the name of where it came from.
    const auto resolve = [&environment](const std::optional<std::string>& text, const char* option,
                                        const char* variable, auto&& use) {
        if (text) {
            use(option, *text);
        } else if (const char* value = environment(variable); value && *value) {
            use(variable, std::string(value));
        }
    };

    RecordOptions options;
    resolve(texts.tracker, "--tracker", "COWSCOPE_TRACKER",
            [&](const char* source, const std::string& text) {
                options.tracker = parse_choice(trackers(), source, text);
            });
    resolve(texts.witness, "--witness", "COWSCOPE_WITNESS",
            [&](const char* source, const std::string& text) {
                options.witness = parse_choice(witnesses(), source, text);
            });
    resolve(texts.sample, "--sample", "COWSCOPE_SAMPLE",
            [&](const char* source, const std::string& text) {
                options.sample = parse_sample(source, text);
            });
    resolve(texts.max_stack, "--max-stack", "COWSCOPE_MAX_STACK",
            [&](const char* source, const std::string& text) {
                options.max_stack = parse_max_stack(source, text);
            });
    resolve(texts.max_trace, "--max-trace", "COWSCOPE_MAX_TRACE",
            [&](const char* source, const std::string& text) {
                options.max_trace = parse_max_trace(source, text);
            });
    resolve(texts.output, "-o", "COWSCOPE_OUTPUT",
            [&](const char* source, const std::string& text) {
                if (text.empty()) throw Error(fmt::format("{}: the folder has no name", source));
                options.output = text;
            });
    resolve(texts.no_values ? std::optional<std::string>("0") : std::nullopt, "--no-values",
            "COWSCOPE_VALUES", [&](const char* source, const std::string& text) {
                options.values = parse_values(source, text);
            });
    options.quiet = texts.quiet;
    return options;
}

std::vector<std::string> compose_environment(const std::vector<std::string>& inherited,
                                             const RecordOptions& options, const std::string& shim,
                                             const std::string& output) {
    // ld.so(8): LD_PRELOAD is split at colons and at spaces, and there is no way to quote either.
    if (shim.find_first_of(": ") != std::string::npos) {
        throw Error(
            fmt::format("LD_PRELOAD cannot name '{}' because of the space or colon in it; put a "
                        "copy elsewhere and name it in COWSCOPE_SHIM",
                        shim));
    }

    std::vector<std::pair<std::string, std::string>> ours = {
        {"LD_PRELOAD", shim},
        {"COWSCOPE_TRACKER", std::string(options.tracker.name())},
        {"COWSCOPE_WITNESS", std::string(options.witness.name())},
        {"COWSCOPE_SAMPLE", name_of_sample(options.sample)},
        {"COWSCOPE_MAX_STACK", std::to_string(options.max_stack)},
        {"COWSCOPE_VALUES", options.values ? "1" : "0"},
        {"COWSCOPE_OUTPUT", output},
        {"COWSCOPE_RECORDER", std::to_string(getpid())},
    };

    // Under these the recorder itself makes children.
    if (const unsigned filters = read_machine().seccomp_filters; filters != 0) {
        ours.emplace_back("COWSCOPE_FILTERS", std::to_string(filters));
    }
    if (options.max_trace) {
        ours.emplace_back("COWSCOPE_MAX_TRACE", std::to_string(*options.max_trace));
    }

    // A program that is built with ASan ends at once where its library is not the first one, unless
    // this says that another may come before it. Who has set it knows better.
    const std::string link_order = "verify_asan_link_order";
    std::string asan = link_order + "=0";

    std::vector<std::string> composed;
    for (const std::string& entry : inherited) {
        const std::string_view name = std::string_view(entry).substr(0, entry.find('='));
        if (name == "ASAN_OPTIONS" && entry.size() > name.size() + 1) {
            const std::string given = entry.substr(name.size() + 1);
            asan = given.find(link_order) == std::string::npos ? given + ':' + asan : given;
        }
        bool is_ours = name == "ASAN_OPTIONS";
        for (auto& [our_name, value] : ours) {
            if (name != our_name) continue;
            is_ours = true;
            if (name == "LD_PRELOAD" && entry.size() > name.size() + 1) {
                value += ':' + entry.substr(name.size() + 1);
            }
        }
        if (!is_ours) composed.push_back(entry);
    }
    for (const auto& [name, value] : ours) composed.push_back(name + '=' + value);
    composed.push_back("ASAN_OPTIONS=" + asan);
    return composed;
}

}  // namespace cowscope::record
