#include "export/names.h"

#include <algorithm>

#include <fmt/format.h>

#include "symbolize/demangle.h"

namespace cowscope::exports {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Bytes of the character that `text` begins with; 0 where it is no UTF-8.
size_t character_bytes(std::string_view text) {
    const auto byte = [&text](size_t at) {
        return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
    };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    const size_t bytes = first >= 0xc2 && first < 0xe0   ? 2
                         : first >= 0xe0 && first < 0xf0 ? 3
                         : first >= 0xf0 && first < 0xf5 ? 4
                                                         : 0;
    for (size_t i = 1; i < bytes; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return 0;
    }
    const unsigned second = byte(1);
    const bool is_overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool is_surrogate = first == 0xed && second >= 0xa0;
    const bool is_beyond = first == 0xf4 && second >= 0x90;
    return is_overlong || is_surrogate || is_beyond ? 0 : bytes;
}

}  // namespace

std::string clean(std::string_view name) {
    std::string result;
    while (!name.empty()) {
        const size_t bytes = character_bytes(name);
        const auto first = static_cast<unsigned char>(name.front());
        if (bytes == 0) {
            result += kReplacement;
        } else if (first < 0x20 || first == 0x7f) {
            result += ' ';
        } else {
            result += name.substr(0, bytes);
        }
        name.remove_prefix(std::max<size_t>(bytes, 1));
    }
    return result;
}

std::string frame_name(const attribute::StackFrame& frame) {
    attribute::StackFrame shown = frame;
    shown.file = attribute::file_name(frame.file);
    if (!frame.is_python) shown.function = symbolize::short_name(frame.function);
    // An address is another one in every run.
    if (shown.function.empty()) shown.function = "?";
    return clean(attribute::text_of(shown));
}

std::string cause_name(const Sample& sample) {
    return clean(sample.type.empty() ? fmt::format("[{}]", sample.cause)
                                     : fmt::format("[{} of {}]", sample.cause, sample.type));
}

}  // namespace cowscope::exports
