// The members of the table, and what is asked of all of them.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "runtime/runtime.h"

namespace cowscope::runtime {

// Live as long as the program. Where a function takes members, a test gives it its own.
using Members = std::span<const Runtime* const>;
Members all_members();

// See Runtime; with the runtime that answered.
std::optional<Verdict> find_count(Members members, const Write& write);
std::optional<Verdict> find_in_memory(Members members, const Write& write);
std::optional<Verdict> find_in_data(Members members, const Write& write);

// In any program, or in that of a member.
bool names_reference_count(std::string_view function);

// See Runtime: the first heap that is found, or the first reason why none was.
bool may_run_in(Members members, const trace::Mappings& mappings);
HeapSearch find_heap(Members members, const trace::Mappings& mappings,
                     const OpenMapped& open_mapped, Memory* memory,
                     const std::function<bool()>& must_stop);

// The line of a code object that no ProcessView has (trace::AggregateFrame).
std::optional<unsigned> line_of(const trace::RuntimeCode& code, uint32_t version,
                                int32_t instruction_offset);

}  // namespace cowscope::runtime
