// Where the values' texts come from.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace cowscope::workload {

// Valid during the call only.
using TakeText = std::function<void(std::string_view text)>;

// "val" and a number of seven digits: short enough for std::string to hold it without an allocation
// of its own.
inline constexpr uint64_t kShortestText = 10;

// `entries` texts, `unique` of them different (all, if there are fewer entries), in the same order
// in every run, each `length` characters long (at least kShortestText).
void generate_contents(uint64_t entries, uint64_t unique, uint64_t length, const TakeText& take);

// The third '|'-separated field of each of the first `max_lines` lines. Ends the program with
// status 2 and one line on stderr if the file cannot be read or a line has fewer fields.
void read_contents(const char* path, uint64_t max_lines, const TakeText& take);

}  // namespace cowscope::workload
