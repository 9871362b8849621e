// Numbers, shortening and emphasis for text reports.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cowscope::report {

std::string grouped(uint64_t number);             // 1234567 -> "1,234,567"
std::string page_count(uint64_t pages);           // "1 page", "2,008 pages"
std::string size_text(uint64_t bytes);            // "239.2 MiB"
std::string percent(double share);                // 0.9731 -> "97.3 %"
std::string duration_text(uint64_t nanoseconds);  // "2.31 s"

// At most `columns` wide. Cuts at the end, or at the start for paths, with "…".
std::string cut_end(std::string_view text, size_t columns);
std::string cut_start(std::string_view text, size_t columns);

// Lines of at most `columns`, broken at spaces.
std::vector<std::string> wrapped(std::string_view text, size_t columns);

// Emphasis of a terminal's (ECMA-48, SGR) around a text.
std::string emphasized(const std::string& text);

// A line of an output with emphasis: printable (printable.h) but for emphasized()'s own marks. The
// last gate of each line, so that no name passes because somebody forgot it.
std::string printable_line(std::string_view line, bool may_be_emphasized);

}  // namespace cowscope::report
