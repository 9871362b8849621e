#include "attribute/cause.h"

#include <algorithm>

#include <fmt/format.h>

#include "attribute/reference_names.h"

namespace cowscope::attribute {
namespace {

// Reference counts are words of 4 or 8 bytes that change by one.
bool counts_by_one(const CauseInput& input) {
    const unsigned width = input.instruction->width_bytes;
    return (width == 4 || width == 8) && input.change &&
           (*input.change == 1 || *input.change == -1);
}

std::string describe_change(const CauseInput& input) {
    const char* verb = *input.change > 0 ? "adds 1 to" : "takes 1 from";
    const bool eight = input.instruction->width_bytes == 8;
    return fmt::format("{} {}-byte word", verb, eight ? "an 8" : "a 4");
}

std::optional<Verdict> find_reference_count(const CauseInput& input) {
    if (!counts_by_one(input)) return std::nullopt;
    const auto named =
        std::find_if(input.functions.begin(), input.functions.end(), names_reference_count);
    const std::string change = describe_change(input);
    if (!input.object_type.empty()) {
        const std::string by =
            named != input.functions.end() ? fmt::format("{} ", base_name(*named)) : "";
        return Verdict{Cause::refcount, fmt::format("{}{} where a CPython object of type {} starts",
                                                    by, change, input.object_type)};
    }
    if (named != input.functions.end()) {
        return Verdict{Cause::refcount, fmt::format("{} {}", base_name(*named), change)};
    }
    // Without debug info nothing names the inlined function; an atomic step by one on the heap is
    // then taken for a count.
    const bool on_heap = input.region == Region::heap || input.region == Region::anonymous;
    if (!input.has_debug_info && input.instruction->locked && on_heap) {
        return Verdict{Cause::refcount,
                       fmt::format("atomically {} on the heap (no debug info names it)", change)};
    }
    return std::nullopt;
}

}  // namespace

std::string_view cause_name(Cause cause) {
    switch (cause) {
        case Cause::refcount:
            return "refcount";
        case Cause::lazy_binding:
            return "lazy-binding";
        case Cause::library_data:
            return "library-data";
        case Cause::stack:
            return "stack";
        case Cause::kernel:
            return "kernel";
        case Cause::store:
            return "store";
        case Cause::unknown:
            return "unknown";
    }
    return "unknown";
}

std::optional<Verdict> find_cause(const CauseInput& input) {
    if (input.instruction == nullptr) {
        return Verdict{Cause::unknown, "the instruction could not be decoded"};
    }
    if (!input.instruction->writes()) return std::nullopt;
    if (auto count = find_reference_count(input)) return count;
    switch (input.region) {
        case Region::stack:
            return Verdict{Cause::stack, "the address is on a thread's stack"};
        case Region::got:
            if (input.in_dynamic_linker) {
                return Verdict{Cause::lazy_binding,
                               fmt::format("the dynamic linker writes the offset table of {}",
                                           input.region_name)};
            }
            break;
        default:
            break;
    }
    if (input.region == Region::library_data || input.region == Region::got) {
        return Verdict{Cause::library_data,
                       fmt::format("the address is in the data of {}", input.region_name)};
    }
    std::string evidence = "the program's own write";
    if (input.region == Region::program_data) {
        evidence += fmt::format(", to the data of {}", input.region_name);
    } else if (counts_by_one(input)) {
        evidence += fmt::format("; {}, but nothing says that it is a reference count",
                                describe_change(input));
    }
    return Verdict{Cause::store, evidence};
}

}  // namespace cowscope::attribute
