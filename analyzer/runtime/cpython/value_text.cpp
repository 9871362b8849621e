#include "runtime/cpython/value_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/printable.h"

namespace cowscope::cpython {
namespace {

// Enough to recognize a value by.
constexpr size_t kShownCharacters = 32;

// As Python would write it in a string: what is no UTF-8 byte by byte.
std::string escaped(const Character& character, unsigned char byte) {
    const uint32_t code = character.bytes == 0 ? byte : character.code;
    if (code == '\n') return "\\n";
    if (code == '\t') return "\\t";
    if (code == '\r') return "\\r";
    if (code < 0x100) return fmt::format("\\x{:02x}", code);
    return code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
}

// Between quotes. `is_text`: UTF-8 is shown as it is.
std::string quoted(std::string_view text, bool is_text, bool truncated) {
    std::string out = "'";
    for (size_t shown = 0; !text.empty(); ++shown) {
        if (shown == kShownCharacters) {
            truncated = true;
            break;
        }
        const auto byte = static_cast<unsigned char>(text.front());
        const bool is_one = is_text || byte < 0x80;
        const Character character = is_one ? first_character(text) : Character{};
        if (byte == '\'' || byte == '\\') out += '\\';
        if (character.bytes != 0 && is_printable(character.code)) {
            out += text.substr(0, character.bytes);
        } else {
            out += escaped(character, byte);
        }
        text.remove_prefix(std::max<size_t>(character.bytes, 1));
    }
    return out + (truncated ? "…'" : "'");
}

}  // namespace

std::string value_text(const trace::ObjectValue& value) {
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
    const auto of_site = process.runtime.values_of_site.find(site);
    if (type == 0 || of_site == process.runtime.values_of_site.end()) return examples;
    for (const size_t index : of_site->second) {
        const trace::ObjectValue& value = process.runtime.values[index];
        if (value.facts.type != type) continue;
        std::string text = value_text(value);
        if (text.empty() || std::ranges::find(examples, text) != examples.end()) continue;
        examples.push_back(std::move(text));
        if (examples.size() == kMostExamples) break;
    }
    return examples;
}

}  // namespace cowscope::cpython
