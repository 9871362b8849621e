// One record of a file that is framed like a segment (preload/format/trace_format.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "preload/format/trace_format.h"

namespace cowscope::observe {

// `behind` follows the record, padded to 8 bytes.
template <typename Record>
void append_record(std::string* content, trace::RecordType type, Record record,
                   std::string_view behind) {
    static_assert(sizeof(Record) % 8 == 0);
    const size_t padding = (8 - behind.size() % 8) % 8;
    record.header = {static_cast<uint32_t>(sizeof(record) + behind.size() + padding), type, 0};
    content->append(reinterpret_cast<const char*>(&record), sizeof(record));
    content->append(behind);
    content->append(padding, '\0');
}

}  // namespace cowscope::observe
