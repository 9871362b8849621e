#include "base/parse_text.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace cowscope {

std::optional<uint64_t> parse_size(std::string_view text) {
    double number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, failure] =
        std::from_chars(text.data(), end, number, std::chars_format::fixed);
    if (failure != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
    std::string_view unit(stop, static_cast<size_t>(end - stop));
    if (unit == "B") unit = "";
    uint64_t factor = 1;
    if (!unit.empty()) {
        constexpr std::string_view kPowers = "KMGT";
        const size_t power = kPowers.find(unit[0] == 'k' ? 'K' : unit[0]);
        const std::string_view rest = unit.substr(1);
        if (power == std::string_view::npos || !(rest.empty() || rest == "iB" || rest == "B")) {
            return std::nullopt;
        }
        for (size_t i = 0; i <= power; ++i) factor *= rest == "B" ? 1000 : 1024;
    }
    constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
    // A whole number is exact; a double is not beyond 2^53.
    const std::string_view digits(text.data(), static_cast<size_t>(stop - text.data()));
    if (uint64_t whole = 0; parse_number(digits, &whole)) {
        if (whole > kMost / factor) return std::nullopt;
        return whole * factor;
    }
    const double bytes = std::floor(number * static_cast<double>(factor));
    if (bytes >= static_cast<double>(kMost)) return std::nullopt;
    return static_cast<uint64_t>(bytes);
}

std::string list_of(const std::vector<std::string>& words) {
    if (words.size() < 2) return words.empty() ? std::string() : words.front();
    return fmt::format("{} or {}", fmt::join(words.begin(), words.end() - 1, ", "), words.back());
}

Error unknown_value(std::string_view option, std::string_view text, std::string_view valid) {
    return Error(fmt::format("{}: unknown value '{}'; valid are {}", option, text, valid));
}

void require_one_of(std::string_view option, std::string_view text,
                    const std::vector<std::string>& valid) {
    if (std::find(valid.begin(), valid.end(), text) != valid.end()) return;
    throw unknown_value(option, text, fmt::format("{}", fmt::join(valid, ", ")));
}

}  // namespace cowscope
