#include "cpython/codes.h"

#include <cstring>

#include "cpython/interpreter.h"
#include "cpython/memory.h"
#include "cpython/text.h"
#include "python_format.h"
#include "support/guarded_read.h"

#include "support/poison.h"

namespace cowscope::cpython {
namespace {

// A record holds a file name, a name and this.
constexpr uint64_t kMaxLineTableBytes = 48 * 1024;

}  // namespace

bool CodeTable::write(segment::Writer* writer, uint64_t address, const Known& known) {
    const Layout& layout = *interpreter().layout;
    uint64_t file_object;
    StrText name;
    StrText file;
    if (!guarded_read(address + layout.code_filename, &file_object) ||
        !read_str(layout, known.name, name_, sizeof(name_), &name) ||
        !read_str(layout, file_object, file_, sizeof(file_), &file)) {
        return false;
    }
    uint64_t line_table_type;
    uint64_t line_table_bytes;
    uint64_t instruction_units = 0;
    if (!guarded_read(known.line_table + kObType, &line_table_type) ||
        line_table_type != interpreter().bytes_type ||
        !guarded_read(known.line_table + kObSize, &line_table_bytes)) {
        return false;
    }
    const bool has_instructions = layout.code_adaptive != kNone;
    if (has_instructions && !guarded_read(address + kObSize, &instruction_units)) return false;
    const bool truncated = line_table_bytes > kMaxLineTableBytes;
    if (truncated) line_table_bytes = kMaxLineTableBytes;

    const size_t text_bytes = name.bytes + file.bytes;
    auto* record = writer->begin<trace::PythonCodeRecord>(
        trace::RecordType::python_code, text_bytes + static_cast<size_t>(line_table_bytes));
    if (record == nullptr) return false;
    record->header.flags = truncated ? trace::kLineTableTruncated : 0;
    record->id = known.id;
    record->first_line = static_cast<int32_t>(known.first_line);
    record->address = address;
    record->bytes = layout.code_bytes;
    record->instruction_start = 0;
    if (has_instructions) {
        constexpr uint64_t kUnitBytes = 2;
        record->instruction_start = layout.code_adaptive;
        record->bytes =
            static_cast<uint32_t>(layout.code_adaptive + instruction_units * kUnitBytes);
    }
    record->line_table_bytes = static_cast<uint32_t>(line_table_bytes);
    record->name_bytes = static_cast<uint16_t>(name.bytes);
    record->file_bytes = static_cast<uint16_t>(file.bytes);
    char* behind = reinterpret_cast<char*>(record + 1);
    std::memcpy(behind, name_, name.bytes);
    std::memcpy(behind + name.bytes, file_, file.bytes);
    const uint64_t from = known.line_table + kBytesValue;
    if (line_table_bytes != 0 &&
        !guarded_read(reinterpret_cast<const void*>(from), behind + text_bytes, line_table_bytes)) {
        return false;
    }
    writer->commit();
    return true;
}

uint32_t CodeTable::find(Arena& arena, segment::Writer* writer, uint64_t address) {
    const Layout& layout = *interpreter().layout;
    Known known = {load<uint64_t>(address + layout.code_name),
                   load<uint64_t>(address + layout.code_line_table),
                   load<uint32_t>(address + layout.code_first_line), next_id_};
    witness::InternTable::Entry* entry = by_address_.find(address);
    if (entry != nullptr) {
        const Known& before = known_[entry->value];
        if (before.name == known.name && before.line_table == known.line_table &&
            before.first_line == known.first_line) {
            return before.id;
        }
    }
    // Without room to remember it, it would be written again at every event.
    const auto index = static_cast<uint32_t>(known_.size());
    if (!known_.push(arena, known)) return kNoCode;
    if (!write(writer, address, known)) {
        known_.shrink(index);
        return kNoCode;
    }
    if (entry == nullptr) entry = by_address_.insert(arena, address, index);
    if (entry != nullptr) entry->value = index;
    ++next_id_;
    return known.id;
}

}  // namespace cowscope::cpython
