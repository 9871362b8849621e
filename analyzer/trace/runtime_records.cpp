#include "trace/runtime_records.h"

#include <cstring>

#include <fmt/format.h>

#include "base/printable.h"

namespace cowscope::trace {
namespace {

// A writer keeps a few.
constexpr size_t kMaxValuesASite = 64;

std::string take_code(const RecordView& record, RuntimeData* runtime) {
    const auto fixed = record.as<RuntimeCodeRecord>();
    if (fixed.id != runtime->codes.size()) {
        return fmt::format("has id {} where {} comes next", fixed.id, runtime->codes.size());
    }
    runtime->codes.push_back(
        runtime_code_of(fixed, record.flags, record.behind<RuntimeCodeRecord>()));
    return "";
}

std::string take_stack(const RecordView& record, RuntimeData* runtime) {
    const auto fixed = record.as<RuntimeStackRecord>();
    if (fixed.id != runtime->stacks.size()) {
        return fmt::format("has id {} where {} comes next", fixed.id, runtime->stacks.size());
    }
    if (fixed.depth == 0) return "is empty";
    RuntimeStack stack;
    stack.truncated = (record.flags & kStackTruncated) != 0;
    stack.frames.resize(fixed.depth);
    std::memcpy(stack.frames.data(), record.behind<RuntimeStackRecord>().data(),
                fixed.depth * sizeof(RuntimeFrame));
    for (const RuntimeFrame& frame : stack.frames) {
        const uint32_t code = frame.code & ~kEnteredFromC;
        if (code >= runtime->codes.size()) {
            return fmt::format("names code {}, which is not there", code);
        }
    }
    runtime->stacks.push_back(std::move(stack));
    return "";
}

std::string take_value(const RecordView& record, size_t sites, RuntimeData* runtime) {
    const auto fixed = record.as<ObjectValueRecord>();
    if (fixed.site >= sites) {
        return fmt::format("names site {}, which is not there", fixed.site);
    }
    auto& of_site = runtime->values_of_site[fixed.site];
    if (of_site.size() == kMaxValuesASite) return "";
    of_site.push_back(runtime->values.size());
    runtime->values.push_back(
        {fixed, (record.flags & kValueTruncated) != 0,
         std::string(text_of(record.behind<ObjectValueRecord>(), 0, fixed.text_bytes))});
    return "";
}

}  // namespace

RuntimeCode runtime_code_of(const RuntimeCodeRecord& fixed, uint16_t flags,
                            std::span<const std::byte> behind) {
    RuntimeCode code;
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

std::string take_runtime(const RecordView& record, size_t sites, RuntimeData* runtime) {
    switch (record.type) {
        case RecordType::runtime:
            runtime->interpreter = record.as<RuntimeRecord>();
            break;
        case RecordType::runtime_thread:
            runtime->threads.push_back(record.as<RuntimeThreadRecord>());
            break;
        case RecordType::runtime_code:
            return take_code(record, runtime);
        case RecordType::runtime_stack:
            return take_stack(record, runtime);
        case RecordType::object_value:
            return take_value(record, sites, runtime);
        default:
            break;
    }
    return "";
}

}  // namespace cowscope::trace
