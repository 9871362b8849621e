#include "runtime/cpython/line_table.h"

#include <algorithm>
#include <limits>
#include <span>

namespace cowscope::cpython {
namespace {

std::optional<unsigned> checked(int64_t line) {
    if (line < 0 || line > INT32_MAX) return std::nullopt;
    return static_cast<unsigned>(line);
}

// What comes of each table: calls take(end, line) for each range of offsets, in order; a line of
// std::nullopt where there is none.

// co_lnotab up to 3.9 (Objects/lnotab_notes.txt): pairs of an unsigned step of the offset and a
// signed one of the line. Offsets behind the last pair have its line.
template <typename Take>
void read_lnotab(const trace::RuntimeCode& code, const Take& take) {
    int64_t line = code.first_line;
    int64_t at = 0;
    for (size_t i = 0; i + 1 < code.line_table.size(); i += 2) {
        at += code.line_table[i];
        take(at, checked(line));
        line += static_cast<int8_t>(code.line_table[i + 1]);
    }
    constexpr int64_t kToTheEnd = std::numeric_limits<int64_t>::max();
    if (!code.line_table_truncated) take(kToTheEnd, checked(line));
}

// co_linetable of 3.10 (PEP 626, Objects/lnotab_notes.txt): pairs of the length of a range and the
// signed step of the line before it; -128: no line.
template <typename Take>
void read_ranges(const trace::RuntimeCode& code, const Take& take) {
    constexpr int8_t kNoLine = -128;
    int64_t line = code.first_line;
    int64_t end = 0;
    for (size_t i = 0; i + 1 < code.line_table.size(); i += 2) {
        const auto step = static_cast<int8_t>(code.line_table[i + 1]);
        end += code.line_table[i];
        if (step != kNoLine) line += step;
        take(end, step == kNoLine ? std::nullopt : checked(line));
    }
}

// co_linetable from 3.11 on (Objects/locations.md): entries of one byte 1cccclll (code, length - 1
// in units of two bytes) and what the code says.
class Locations {
  public:
    explicit Locations(std::span<const uint8_t> table) : table_(table) {}

    template <typename Take>
    void read(int32_t first_line, const Take& take) {
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
            if (at_ > table_.size()) return;
            take(end, has_line ? checked(line) : std::nullopt);
        }
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

LineTable::LineTable(const trace::RuntimeCode& code, uint32_t version)
    : first_line_(checked(code.first_line)) {
    constexpr uint32_t k310 = 0x030a;
    int64_t last_end = 0;
    const auto take = [&](int64_t end, std::optional<unsigned> line) {
        // An empty range holds no offset.
        if (end <= last_end) return;
        last_end = end;
        constexpr int64_t kLast = std::numeric_limits<int32_t>::max();
        const auto kept = static_cast<int32_t>(std::min(end, kLast));
        if (!ranges_.empty() && ranges_.back().line == line) {
            ranges_.back().end = kept;
        } else {
            ranges_.push_back({kept, line});
        }
    };
    const uint32_t minor = version >> 16;
    if (minor < k310) {
        read_lnotab(code, take);
    } else if (minor == k310) {
        read_ranges(code, take);
    } else {
        Locations(code.line_table).read(code.first_line, take);
    }
    ranges_.shrink_to_fit();
}

std::optional<unsigned> LineTable::find(int32_t offset) const {
    if (offset < 0) return first_line_;
    const auto range = std::partition_point(ranges_.begin(), ranges_.end(),
                                            [&](const Range& each) { return each.end <= offset; });
    return range == ranges_.end() ? std::nullopt : range->line;
}

std::optional<unsigned> line_of(const trace::RuntimeCode& code, uint32_t version, int32_t offset) {
    return LineTable(code, version).find(offset);
}

}  // namespace cowscope::cpython
