#include "trace/python_lines.h"

#include <algorithm>

namespace cowscope::trace {
namespace {

std::optional<unsigned> checked(int64_t line) {
    if (line < 0 || line > INT32_MAX) return std::nullopt;
    return static_cast<unsigned>(line);
}

// co_lnotab up to 3.9 (Objects/lnotab_notes.txt): pairs of an unsigned step of the offset and a
// signed one of the line. Offsets behind the last pair have its line.
std::optional<unsigned> from_lnotab(const PythonCode& code, int32_t offset) {
    int64_t line = code.first_line;
    int64_t at = 0;
    for (size_t i = 0; i + 1 < code.line_table.size(); i += 2) {
        at += code.line_table[i];
        if (at > offset) return checked(line);
        line += static_cast<int8_t>(code.line_table[i + 1]);
    }
    if (code.line_table_truncated) return std::nullopt;
    return checked(line);
}

// co_linetable of 3.10 (PEP 626, Objects/lnotab_notes.txt): pairs of the length of a range and the
// signed step of the line before it; -128: no line.
std::optional<unsigned> from_ranges(const PythonCode& code, int32_t offset) {
    constexpr int8_t kNoLine = -128;
    int64_t line = code.first_line;
    int64_t end = 0;
    for (size_t i = 0; i + 1 < code.line_table.size(); i += 2) {
        const auto step = static_cast<int8_t>(code.line_table[i + 1]);
        end += code.line_table[i];
        if (step != kNoLine) line += step;
        if (offset < end) return step == kNoLine ? std::nullopt : checked(line);
    }
    return std::nullopt;
}

// co_linetable from 3.11 on (Objects/locations.md): entries of one byte 1cccclll (code, length - 1
// in units of two bytes) and what the code says.
class Locations {
  public:
    explicit Locations(std::span<const uint8_t> table) : table_(table) {}

    std::optional<unsigned> find(int32_t first_line, int32_t offset) {
        int64_t line = first_line;
        int64_t end = 0;
        while (at_ < table_.size()) {
            const uint8_t head = table_[at_++];
            const unsigned kind = head >> 3 & 15;
            end += ((head & 7) + 1) * 2;
            bool has_line = true;
            if (kind == 15) {  // no location
                has_line = false;
            } else if (kind == 14) {  // long form: line, end line, columns
                line += signed_number();
                number();
                number();
                number();
            } else if (kind == 13) {  // no columns
                line += signed_number();
            } else if (kind >= 10) {  // one line further each, two bytes of columns
                line += kind - 10;
                at_ += 2;
            } else {  // the same line, one byte of columns
                at_ += 1;
            }
            if (at_ > table_.size()) return std::nullopt;
            if (offset < end) return has_line ? checked(line) : std::nullopt;
        }
        return std::nullopt;
    }

  private:
    // Six bits a byte, the lowest first; bit 6 says that more follow.
    uint64_t number() {
        uint64_t value = 0;
        for (unsigned shift = 0; at_ < table_.size() && shift < 60; shift += 6) {
            const uint8_t byte = table_[at_++];
            value |= uint64_t{byte & 63u} << shift;
            if ((byte & 64) == 0) return value;
        }
        at_ = table_.size() + 1;
        return 0;
    }
    int64_t signed_number() {
        // A table of 64 KiB adds up to no overflow.
        const uint64_t value = std::min<uint64_t>(number(), uint64_t{1} << 40);
        const auto magnitude = static_cast<int64_t>(value >> 1);
        return (value & 1) != 0 ? -magnitude : magnitude;
    }

    std::span<const uint8_t> table_;
    size_t at_ = 0;
};

}  // namespace

std::optional<unsigned> line_of(const PythonCode& code, uint32_t version, int32_t offset) {
    constexpr uint32_t k310 = 0x030a;
    if (offset < 0) return checked(code.first_line);
    const uint32_t minor = version >> 16;
    if (minor < k310) return from_lnotab(code, offset);
    if (minor == k310) return from_ranges(code, offset);
    return Locations(code.line_table).find(code.first_line, offset);
}

}  // namespace cowscope::trace
