#include "runtime/cpython/code_reader.h"

#include <cstring>

#include "support/guarded_read.h"
#include "support/hash.h"

#include "support/poison.h"

namespace cowscope::cpython {

size_t CodeReader::read(uint64_t address, uint64_t most_line_table_bytes) {
    const Layout& layout = *interpreter().layout;
    address_ = address;
    identity_ = identify_code(address);
    uint64_t file_object;
    if (!guarded_read(address + layout.code_filename, &file_object) ||
        !read_str(layout, identity_.name, name_, sizeof(name_), &name_text_) ||
        !read_str(layout, file_object, file_, sizeof(file_), &file_text_)) {
        return 0;
    }
    uint64_t line_table_type;
    if (!guarded_read(identity_.line_table + kObType, &line_table_type) ||
        line_table_type != interpreter().bytes_type ||
        !guarded_read(identity_.line_table + kObSize, &line_table_bytes_)) {
        return 0;
    }
    const bool has_instructions = layout.code_adaptive != kNone;
    if (has_instructions && !guarded_read(address + kObSize, &instruction_units_)) return 0;
    truncated_ = line_table_bytes_ > most_line_table_bytes;
    if (truncated_) line_table_bytes_ = most_line_table_bytes;
    return sizeof(trace::RuntimeCodeRecord) + name_text_.bytes + file_text_.bytes +
           static_cast<size_t>(line_table_bytes_);
}

uint64_t CodeReader::text_key() const {
    const uint64_t words[] = {hash_text(name_, name_text_.bytes),
                              hash_text(file_, file_text_.bytes), identity_.first_line,
                              line_table_bytes_, instruction_units_};
    return hash_words(words, 5);
}

bool CodeReader::fill(trace::RuntimeCodeRecord* record) const {
    const Layout& layout = *interpreter().layout;
    record->header.flags = truncated_ ? trace::kLineTableTruncated : 0;
    record->first_line = static_cast<int32_t>(identity_.first_line);
    record->address = address_;
    record->bytes = layout.code_bytes;
    record->instruction_start = 0;
    if (layout.code_adaptive != kNone) {
        constexpr uint64_t kUnitBytes = 2;
        record->instruction_start = layout.code_adaptive;
        record->bytes =
            static_cast<uint32_t>(layout.code_adaptive + instruction_units_ * kUnitBytes);
    }
    record->line_table_bytes = static_cast<uint32_t>(line_table_bytes_);
    record->name_bytes = static_cast<uint16_t>(name_text_.bytes);
    record->file_bytes = static_cast<uint16_t>(file_text_.bytes);
    char* behind = reinterpret_cast<char*>(record + 1);
    std::memcpy(behind, name_, name_text_.bytes);
    std::memcpy(behind + name_text_.bytes, file_, file_text_.bytes);
    const uint64_t from = identity_.line_table + kBytesValue;
    return line_table_bytes_ == 0 ||
           guarded_read(reinterpret_cast<const void*>(from),
                        behind + name_text_.bytes + file_text_.bytes, line_table_bytes_);
}

}  // namespace cowscope::cpython
