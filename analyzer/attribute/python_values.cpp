#include "attribute/python_values.h"

#include <algorithm>

#include <fmt/format.h>

namespace cowscope::attribute {
namespace {

// Enough to recognize a value by.
constexpr size_t kShownCharacters = 32;

// The length of the UTF-8 character that starts at text[at], 0 where none does.
size_t utf8_length(const std::string& text, size_t at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const size_t length = lead < 0x80             ? 1
                          : (lead & 0xe0) == 0xc0 ? 2
                          : (lead & 0xf0) == 0xe0 ? 3
                          : (lead & 0xf8) == 0xf0 ? 4
                                                  : 0;
    if (length == 0 || at + length > text.size()) return 0;
    for (size_t i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) return 0;
    }
    return length;
}

bool is_control(const std::string& text, size_t at, size_t length) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (length == 1) return first < 0x20 || first == 0x7f;
    // U+0080 to U+009f.
    return length == 2 && first == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0;
}

std::string escaped(unsigned char byte) {
    if (byte == '\n') return "\\n";
    if (byte == '\t') return "\\t";
    if (byte == '\r') return "\\r";
    return fmt::format("\\x{:02x}", byte);
}

// Between quotes. `is_text`: UTF-8 is shown as it is.
std::string quoted(const std::string& text, bool is_text, bool truncated) {
    std::string out = "'";
    size_t shown = 0;
    for (size_t at = 0; at < text.size(); ++shown) {
        if (shown == kShownCharacters) {
            truncated = true;
            break;
        }
        const size_t length = is_text ? utf8_length(text, at) : 0;
        const auto byte = static_cast<unsigned char>(text[at]);
        const bool plain_byte = !is_text && byte >= 0x20 && byte < 0x7f;
        if (byte == '\'' || byte == '\\') {
            out += '\\';
            out += text[at++];
        } else if (plain_byte || (length != 0 && !is_control(text, at, length))) {
            const size_t taken = plain_byte ? 1 : length;
            out += text.substr(at, taken);
            at += taken;
        } else {
            out += escaped(byte);
            ++at;
        }
    }
    return out + (truncated ? "…'" : "'");
}

}  // namespace

std::string value_text(const trace::PythonValue& value) {
    switch (value.facts.kind) {
        case trace::ValueKind::str:
            return quoted(value.text, true, value.truncated);
        case trace::ValueKind::bytes:
            return "b" + quoted(value.text, false, value.truncated);
        case trace::ValueKind::integer: {
            const bool is_number =
                !value.text.empty() && std::ranges::all_of(value.text, [](char c) {
                    return c == '-' || (c >= '0' && c <= '9');
                });
            return is_number ? value.text : "";
        }
    }
    return "";
}

std::vector<std::string> examples_of(const trace::ProcessTrace& process, uint32_t site,
                                     uint64_t type) {
    constexpr size_t kMostExamples = 4;
    std::vector<std::string> examples;
    const auto of_site = process.python.values_of_site.find(site);
    if (type == 0 || of_site == process.python.values_of_site.end()) return examples;
    for (const size_t index : of_site->second) {
        const trace::PythonValue& value = process.python.values[index];
        if (value.facts.type != type) continue;
        std::string text = value_text(value);
        if (text.empty() || std::ranges::find(examples, text) != examples.end()) continue;
        examples.push_back(std::move(text));
        if (examples.size() == kMostExamples) break;
    }
    return examples;
}

}  // namespace cowscope::attribute
