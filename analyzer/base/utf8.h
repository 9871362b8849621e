// Characters of UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cowscope {

inline constexpr uint32_t kLastCode = 0x10ffff;

// The character that a text begins with.
struct Character {
    uint32_t code = 0;
    size_t bytes = 0;  // 0 where the text begins with no UTF-8, or is empty
};
Character first_character(std::string_view text);

// `code` is kLastCode at most. A surrogate is written like any other, and is no UTF-8.
void append_utf8(std::string* text, uint32_t code);

// Whether a byte goes on with a character that began before it: such a byte takes no column.
constexpr bool continues_character(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

}  // namespace cowscope
