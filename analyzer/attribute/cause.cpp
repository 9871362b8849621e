#include "attribute/cause.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "runtime/function_names.h"

namespace cowscope::attribute {
namespace {

using runtime::Write;

// Counts of any program, known by a function's name.
std::optional<Verdict> find_named_count(const Write& write) {
    if (!runtime::counts_by_one(write)) return std::nullopt;
    // What else a runtime keeps there is no count.
    if (write.target.kind != 0 && !write.target.is_guess) return std::nullopt;
    const std::string change = runtime::describe_change(write);
    const auto named = std::ranges::find_if(write.functions, runtime::names_reference_count);
    if (named != write.functions.end()) {
        return Verdict{Cause::refcount, fmt::format("{} {}", runtime::base_name(*named), change)};
    }
    // Without debug info nothing names the inlined function; an atomic step by one on the heap is
    // then taken for a count.
    if (!write.has_debug_info && write.instruction->locked && runtime::is_on_heap(write)) {
        return Verdict{Cause::refcount,
                       fmt::format("atomically {} on the heap (no debug info names it)", change)};
    }
    return std::nullopt;
}

std::optional<Verdict> find_in_module(const Write& write) {
    if (write.region == Region::got && write.in_dynamic_linker) {
        return Verdict{
            Cause::lazy_binding,
            fmt::format("the dynamic linker writes the offset table of {}", write.region_name)};
    }
    if (write.region == Region::library_data || write.region == Region::got) {
        return Verdict{Cause::library_data,
                       fmt::format("the address is in the data of {}", write.region_name)};
    }
    return std::nullopt;
}

Verdict plain_store(const Write& write) {
    std::string evidence = "the program's own write";
    if (write.region == Region::program_data) {
        evidence += fmt::format(", to the data of {}", write.region_name);
    } else if (runtime::counts_by_one(write)) {
        evidence += fmt::format("; {}, but nothing says that it is a reference count",
                                runtime::describe_change(write));
    }
    return {Cause::store, evidence};
}

Verdict decide(const Write& write, runtime::Members members) {
    if (auto count = find_named_count(write)) return *count;
    if (auto count = runtime::find_count(members, write)) return *count;
    if (write.region == Region::stack) {
        return {Cause::stack, "the address is on a thread's stack"};
    }
    if (auto verdict = runtime::find_in_memory(members, write)) return *verdict;
    if (auto verdict = runtime::find_in_data(members, write)) return *verdict;
    if (auto verdict = find_in_module(write)) return *verdict;
    return plain_store(write);
}

}  // namespace

std::optional<Verdict> find_cause(const Write& write, runtime::Members members) {
    if (write.instruction == nullptr) {
        return Verdict{Cause::unknown, "the instruction could not be decoded"};
    }
    if (!write.instruction->writes()) return std::nullopt;
    Verdict verdict = decide(write, members);
    if (write.is_finalizing) verdict.evidence += "; the interpreter is being taken down at exit";
    return verdict;
}

}  // namespace cowscope::attribute
