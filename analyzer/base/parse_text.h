// Numbers and sizes in texts that users and the kernel write.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace cowscope {

// Takes the digits at the start of `text` away. False where there is none or the number does not
// fit; `text` then stays.
template <typename Number>
bool take_number(std::string_view* text, Number* number, int base = 10) {
    const char* end = text->data() + text->size();
    const auto [stop, failure] = std::from_chars(text->data(), end, *number, base);
    if (failure != std::errc{}) return false;
    text->remove_prefix(static_cast<size_t>(stop - text->data()));
    return true;
}

// False unless the whole text is a number, in decimal digits.
template <typename Number>
bool parse_number(std::string_view text, Number* number) {
    return take_number(&text, number) && text.empty();
}

// The number that the whole text is, if it is in [1, limit].
template <typename Number>
std::optional<Number> parse_positive(std::string_view text, Number limit) {
    Number number = 0;
    if (!parse_number(text, &number) || number < 1 || number > limit) return std::nullopt;
    return number;
}

// "64M", "1.5GiB", "4096": bytes, cut to whole ones. B, K, M, G and T with or without iB are powers
// of 1024, with B alone (KB, MB) powers of 1000. Empty for anything else, and from 2^63 on.
std::optional<uint64_t> parse_size(std::string_view text);

// "a, b or c".
std::string list_of(const std::vector<std::string>& words);

// "OPTION: unknown value 'TEXT'; valid are VALID"
Error unknown_value(std::string_view option, std::string_view text, std::string_view valid);
// Throws unknown_value() unless `text` is one of `valid`.
void require_one_of(std::string_view option, std::string_view text,
                    const std::vector<std::string>& valid);

}  // namespace cowscope
