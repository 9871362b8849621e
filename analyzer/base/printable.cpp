#include "base/printable.h"

#include <algorithm>
#include <array>

namespace cowscope {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

struct CodeRange {
    uint32_t first;
    uint32_t last;
};

// Unicode 15, ascending: Cc, Cf, Cs, Zl, Zp and Default_Ignorable_Code_Point. Noncharacters end
// each plane, too.
constexpr std::array kNotPrintable = {
    CodeRange{0x0000, 0x001f},    // C0
    CodeRange{0x007f, 0x009f},    // DEL, C1
    CodeRange{0x00ad, 0x00ad},    // soft hyphen
    CodeRange{0x034f, 0x034f},    // combining grapheme joiner
    CodeRange{0x0600, 0x0605},    // Arabic number signs
    CodeRange{0x061c, 0x061c},    // Arabic letter mark
    CodeRange{0x06dd, 0x06dd},    // end of ayah
    CodeRange{0x070f, 0x070f},    // Syriac abbreviation mark
    CodeRange{0x0890, 0x0891},    // Arabic marks of currency
    CodeRange{0x08e2, 0x08e2},    // disputed end of ayah
    CodeRange{0x115f, 0x1160},    // Hangul fillers
    CodeRange{0x17b4, 0x17b5},    // Khmer inherent vowels
    CodeRange{0x180b, 0x180f},    // Mongolian selectors and separator
    CodeRange{0x200b, 0x200f},    // zero width, left-to-right and right-to-left marks
    CodeRange{0x2028, 0x202e},    // line and paragraph separators, bidirectional embeddings
    CodeRange{0x2060, 0x206f},    // word joiner, invisible operators, bidirectional isolates
    CodeRange{0x3164, 0x3164},    // Hangul filler
    CodeRange{0xd800, 0xdfff},    // surrogates
    CodeRange{0xfdd0, 0xfdef},    // noncharacters
    CodeRange{0xfe00, 0xfe0f},    // variation selectors
    CodeRange{0xfeff, 0xfeff},    // byte order mark
    CodeRange{0xffa0, 0xffa0},    // halfwidth Hangul filler
    CodeRange{0xfff0, 0xfffb},    // reserved, interlinear annotations
    CodeRange{0x110bd, 0x110bd},  // Kaithi number signs
    CodeRange{0x110cd, 0x110cd}, CodeRange{0x13430, 0x1343f},  // Egyptian format controls
    CodeRange{0x1bca0, 0x1bca3},                               // shorthand format controls
    CodeRange{0x1d173, 0x1d17a},                               // musical format controls
    CodeRange{0xe0000, 0xe0fff},                               // tags, variation selectors
};

bool is_noncharacter(uint32_t code) {
    return (code & 0xfffe) == 0xfffe;
}

}  // namespace

bool is_printable(uint32_t code) {
    if (code >= 0x20 && code < 0x7f) return true;
    if (code > kLastCode || is_noncharacter(code)) return false;
    const auto* const range =
        std::lower_bound(kNotPrintable.begin(), kNotPrintable.end(), code,
                         [](const CodeRange& each, uint32_t value) { return each.last < value; });
    return range == kNotPrintable.end() || code < range->first;
}

std::string printable(std::string_view text, LineBreaks breaks) {
    std::string result;
    result.reserve(text.size());
    while (!text.empty()) {
        const Character next = first_character(text);
        const bool stays = breaks == LineBreaks::stay && (next.code == '\n' || next.code == '\t');
        if (next.bytes == 0) {
            result += kReplacement;
        } else if (is_printable(next.code) || stays) {
            result += text.substr(0, next.bytes);
        } else if (next.code < 0x80) {
            result += ' ';
        } else {
            result += kReplacement;
        }
        text.remove_prefix(std::max<size_t>(next.bytes, 1));
    }
    return result;
}

std::string shortened(std::string_view text, size_t most_bytes) {
    if (text.size() <= most_bytes) return std::string(text);
    constexpr size_t kLongestCharacter = 4;
    size_t end = most_bytes;
    // Not in the midst of a character, if it is one.
    while (end > 0 && most_bytes - end < kLongestCharacter && continues_character(text[end])) {
        --end;
    }
    return std::string(text.substr(0, end)) + "…";
}

}  // namespace cowscope
