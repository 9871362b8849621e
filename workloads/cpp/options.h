// The command line of string_map.
#pragma once

#include <cstdint>
#include <optional>

#include "contents.h"

namespace cowscope::workload {

enum class ValueKind { refcounted, interned, shared_ptr, cow_string, plain };
enum class ReadOrder { key, iterate };
enum class ChildExit { exit, underscore_exit, quick_exit, return_ };

// Owns nothing (strings point into argv), so that a child that returns from main() frees nothing.
struct Options {
    std::optional<uint64_t> entries;  // none: kDefaultEntries, or with `input` every line
    uint64_t unique = 300;
    uint64_t length = kShortestText;  // characters of a value
    uint32_t children = 2;
    ValueKind values = ValueKind::refcounted;
    ReadOrder read = ReadOrder::key;
    ChildExit child_exit = ChildExit::exit;
    const char* input = nullptr;
    const char* truth = nullptr;
    bool show_memory = true;
    bool show_timing = false;
    uint32_t pause_seconds = 0;  // of each child, before and after it reads
};

inline constexpr uint64_t kDefaultEntries = 1'000'000;

// Ends the program: after -h with status 0, after a usage error with one line on stderr and 2.
Options parse_options(int argc, char** argv);

// As written on the command line.
const char* name_of(ValueKind kind);
const char* name_of(ReadOrder order);

}  // namespace cowscope::workload
