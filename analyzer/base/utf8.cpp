#include "base/utf8.h"

namespace cowscope {

Character first_character(std::string_view text) {
    const auto byte = [&text](size_t at) {
        return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
    };
    if (text.empty()) return {};
    const unsigned first = byte(0);
    if (first < 0x80) return {first, 1};
    const size_t bytes = first >= 0xc2 && first < 0xe0   ? 2
                         : first >= 0xe0 && first < 0xf0 ? 3
                         : first >= 0xf0 && first < 0xf5 ? 4
                                                         : 0;
    if (bytes == 0) return {};
    uint32_t code = first & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; ++i) {
        if (i >= text.size() || !continues_character(text[i])) return {};
        code = code << 6 | (byte(i) & 0x3fu);
    }
    const bool is_overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
    const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    if (is_overlong || is_surrogate || code > kLastCode) return {};
    return {code, bytes};
}

void append_utf8(std::string* text, uint32_t code) {
    const auto put = [&](uint32_t byte) { text->push_back(static_cast<char>(byte)); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xc0 | code >> 6);
        put(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        put(0xe0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3f));
        put(0x80 | (code & 0x3f));
    } else {
        put(0xf0 | (code >> 18 & 7));
        put(0x80 | (code >> 12 & 0x3f));
        put(0x80 | (code >> 6 & 0x3f));
        put(0x80 | (code & 0x3f));
    }
}

}  // namespace cowscope
