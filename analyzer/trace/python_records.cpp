#include "trace/python_records.h"

#include <cstring>

#include <fmt/format.h>

#include "base/printable.h"

namespace cowscope::trace {
namespace {

// A writer keeps a few.
constexpr size_t kMaxValuesASite = 64;

std::string take_code(const RecordView& record, Python* python) {
    const auto fixed = record.as<PythonCodeRecord>();
    if (fixed.id != python->codes.size()) {
        return fmt::format("has id {} where {} comes next", fixed.id, python->codes.size());
    }
    python->codes.push_back(python_code_of(fixed, record.flags, record.behind<PythonCodeRecord>()));
    return "";
}

std::string take_stack(const RecordView& record, Python* python) {
    const auto fixed = record.as<PythonStackRecord>();
    if (fixed.id != python->stacks.size()) {
        return fmt::format("has id {} where {} comes next", fixed.id, python->stacks.size());
    }
    if (fixed.depth == 0) return "is empty";
    PythonStack stack;
    stack.truncated = (record.flags & kStackTruncated) != 0;
    stack.frames.resize(fixed.depth);
    std::memcpy(stack.frames.data(), record.behind<PythonStackRecord>().data(),
                fixed.depth * sizeof(PythonFrame));
    for (const PythonFrame& frame : stack.frames) {
        const uint32_t code = frame.code & ~kEnteredFromC;
        if (code >= python->codes.size()) {
            return fmt::format("names code {}, which is not there", code);
        }
    }
    python->stacks.push_back(std::move(stack));
    return "";
}

std::string take_value(const RecordView& record, size_t sites, Python* python) {
    const auto fixed = record.as<PythonValueRecord>();
    if (fixed.site >= sites) {
        return fmt::format("names site {}, which is not there", fixed.site);
    }
    auto& of_site = python->values_of_site[fixed.site];
    if (of_site.size() == kMaxValuesASite) return "";
    of_site.push_back(python->values.size());
    python->values.push_back(
        {fixed, (record.flags & kValueTruncated) != 0,
         std::string(text_of(record.behind<PythonValueRecord>(), 0, fixed.text_bytes))});
    return "";
}

}  // namespace

PythonCode python_code_of(const PythonCodeRecord& fixed, uint16_t flags,
                          std::span<const std::byte> behind) {
    PythonCode code;
    code.address = fixed.address;
    code.bytes = fixed.bytes;
    code.instruction_start = fixed.instruction_start;
    code.first_line = fixed.first_line;
    code.name = shortened(text_of(behind, 0, fixed.name_bytes), kMostNameBytes);
    code.file = shortened(text_of(behind, fixed.name_bytes, fixed.file_bytes), kMostPathBytes);
    const auto table =
        text_of(behind, size_t{fixed.name_bytes} + fixed.file_bytes, fixed.line_table_bytes);
    code.line_table.assign(table.begin(), table.end());
    code.line_table_truncated = (flags & kLineTableTruncated) != 0;
    return code;
}

std::string take_python(const RecordView& record, size_t sites, Python* python) {
    switch (record.type) {
        case RecordType::python:
            python->interpreter = record.as<PythonRecord>();
            break;
        case RecordType::python_thread:
            python->threads.push_back(record.as<PythonThreadRecord>());
            break;
        case RecordType::python_code:
            return take_code(record, python);
        case RecordType::python_stack:
            return take_stack(record, python);
        case RecordType::python_value:
            return take_value(record, sites, python);
        default:
            break;
    }
    return "";
}

}  // namespace cowscope::trace
