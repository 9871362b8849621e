#include "report/format.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/printable.h"
#include "base/utf8.h"

namespace cowscope::report {
namespace {

constexpr std::string_view kEmphasis = "\033[1m";
constexpr std::string_view kPlain = "\033[0m";

size_t columns_of(std::string_view text) {
    return static_cast<size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

}  // namespace

std::string grouped(uint64_t number) {
    std::string digits = std::to_string(number);
    for (auto at = static_cast<ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
        digits.insert(static_cast<size_t>(at), ",");
    }
    return digits;
}

std::string page_count(uint64_t pages) {
    return grouped(pages) + (pages == 1 ? " page" : " pages");
}

std::string size_text(uint64_t bytes) {
    constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes) / 1024;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    return unit == 0 ? fmt::format("{:.0f} KiB", value)
                     : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string percent(double share) {
    // What is not all must not read as all, nor what is something as nothing.
    if (share < 1 && share > 0.999) return "> 99.9 %";
    if (share > 0 && share < 0.001) return "< 0.1 %";
    return fmt::format("{:.1f} %", share * 100);
}

std::string duration_text(uint64_t nanoseconds) {
    const double seconds = static_cast<double>(nanoseconds) / 1e9;
    if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
    if (seconds < 120) return fmt::format("{:.2f} s", seconds);
    return fmt::format("{:.0f} min {:02.0f} s", std::floor(seconds / 60),
                       seconds - 60 * std::floor(seconds / 60));
}

std::string cut_end(std::string_view text, size_t columns) {
    if (columns_of(text) <= columns) return std::string(text);
    size_t bytes = 0;
    for (size_t taken = 0; bytes < text.size(); ++bytes) {
        if (continues_character(text[bytes])) continue;
        if (taken++ == columns - 1) break;
    }
    return std::string(text.substr(0, bytes)) + "…";
}

std::string cut_start(std::string_view text, size_t columns) {
    if (columns_of(text) <= columns) return std::string(text);
    size_t start = text.size();
    for (size_t taken = 0; taken < columns - 1 && start > 0;) {
        if (!continues_character(text[--start])) ++taken;
    }
    return "…" + std::string(text.substr(start));
}

std::vector<std::string> wrapped(std::string_view text, size_t columns) {
    std::vector<std::string> lines;
    std::string line;
    while (!text.empty()) {
        const size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        if (!line.empty() && columns_of(line) + 1 + columns_of(word) > columns) {
            lines.push_back(std::move(line));
            line.clear();
        }
        if (!line.empty()) line += ' ';
        line += word;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (!line.empty()) lines.push_back(std::move(line));
    return lines;
}

std::string emphasized(const std::string& text) {
    return std::string(kEmphasis) + text + std::string(kPlain);
}

std::string printable_line(std::string_view line, bool may_be_emphasized) {
    if (!may_be_emphasized) return printable(line);
    std::string result;
    while (!line.empty()) {
        const size_t mark = std::min(line.find(kEmphasis), line.find(kPlain));
        if (mark == std::string_view::npos) break;
        const std::string_view found = line.substr(mark).starts_with(kPlain) ? kPlain : kEmphasis;
        result += printable(line.substr(0, mark));
        result += found;
        line.remove_prefix(mark + found.size());
    }
    return result + printable(line);
}

}  // namespace cowscope::report
