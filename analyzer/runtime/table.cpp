#include "runtime/table.h"

#include <algorithm>
#include <utility>

#include "runtime/function_names.h"

namespace cowscope::runtime {

namespace {

using Rule = std::optional<Verdict> (Runtime::*)(const Write&) const;

std::optional<Verdict> first_answer(Members members, const Write& write, Rule rule) {
    for (const Runtime* member : members) {
        std::optional<Verdict> verdict = (member->*rule)(write);
        if (!verdict) continue;
        verdict->runtime = member->id();
        return verdict;
    }
    return std::nullopt;
}

}  // namespace

Members all_members() {
#define COWSCOPE_RUNTIME_ADDRESS(name) &name##_runtime(),
    static const Runtime* const members[] = {COWSCOPE_RUNTIMES(COWSCOPE_RUNTIME_ADDRESS)};
#undef COWSCOPE_RUNTIME_ADDRESS
    return members;
}

std::optional<Verdict> find_count(Members members, const Write& write) {
    return first_answer(members, write, &Runtime::find_count);
}

std::optional<Verdict> find_in_memory(Members members, const Write& write) {
    return first_answer(members, write, &Runtime::find_in_memory);
}

std::optional<Verdict> find_in_data(Members members, const Write& write) {
    return first_answer(members, write, &Runtime::find_in_data);
}

bool names_reference_count(std::string_view function) {
    return names_any_reference_count(function) ||
           std::ranges::any_of(all_members(), [&](const Runtime* member) {
               return member->names_reference_count(function);
           });
}

bool may_run_in(Members members, const trace::Mappings& mappings) {
    return std::ranges::any_of(members,
                               [&](const Runtime* member) { return member->may_run_in(mappings); });
}

HeapSearch find_heap(Members members, const trace::Mappings& mappings,
                     const OpenMapped& open_mapped, Memory* memory,
                     const std::function<bool()>& must_stop) {
    HeapSearch result;
    for (const Runtime* member : members) {
        HeapSearch search = member->find_heap(mappings, open_mapped, memory, must_stop);
        if (search.found) return search;
        if (result.reason.empty()) result.reason = std::move(search.reason);
    }
    return result;
}

std::optional<unsigned> line_of(const trace::RuntimeCode& code, uint32_t version,
                                int32_t instruction_offset) {
    for (const Runtime* member : all_members()) {
        if (const auto line = member->line_of(code, version, instruction_offset)) return line;
    }
    return std::nullopt;
}

}  // namespace cowscope::runtime
