#include "attribute/cause.h"

#include <algorithm>

#include <fmt/format.h>

#include "attribute/reference_names.h"
#include "attribute/runtime_names.h"

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

// The first function, of the instruction's own and then of its callers, that `names` knows; "".
template <typename Names>
std::string_view first_named(const CauseInput& input, Names&& names) {
    for (const auto* functions : {&input.functions, &input.callers}) {
        const auto found = std::find_if(functions->begin(), functions->end(), names);
        if (found != functions->end()) return base_name(*found);
    }
    return {};
}

// "an object of type str", "an object".
std::string describe_object(const CauseInput& input) {
    if (input.object_type.empty()) return "a CPython object";
    return fmt::format("a CPython object of type {}", input.object_type);
}

std::optional<Verdict> find_reference_count(const CauseInput& input) {
    if (!counts_by_one(input)) return std::nullopt;
    const auto named =
        std::find_if(input.functions.begin(), input.functions.end(), names_reference_count);
    const std::string change = describe_change(input);
    if (input.place == PythonPlace::object_start) {
        const std::string by =
            named != input.functions.end() ? fmt::format("{} ", base_name(*named)) : "";
        return Verdict{Cause::refcount, fmt::format("{}{} where a CPython object of type {} starts",
                                                    by, change, input.object_type)};
    }
    // What else of CPython's is known to lie there is no count.
    if (input.place != PythonPlace::none) return std::nullopt;
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

// A count in a word whose neighbour says what is counted, written at the offset that it has there.
std::optional<Verdict> find_counted_header(const CauseInput& input) {
    const decode::EffectiveAddress& address = input.instruction->address;
    if (input.place != PythonPlace::none || !address.known || address.base.width_bytes == 0 ||
        !input.change || (*input.change != 1 && *input.change != -1)) {
        return std::nullopt;
    }
    const bool is_indexed = address.index.width_bytes != 0;
    const unsigned width = input.instruction->width_bytes;
    if (is_perl(input.module)) {
        constexpr uint64_t kCountOffset = 8;  // behind the pointer to the body
        if (width == 4 && !is_indexed && address.displacement == kCountOffset &&
            input.header.perl_scalar) {
            return Verdict{Cause::refcount,
                           fmt::format("{}, the count of a Perl value: its flags follow",
                                       describe_change(input))};
        }
        // Strings that several scalars share have their count in the last byte of the buffer.
        if (width == 1 && is_indexed && address.displacement == ~uint64_t{0} &&
            first_named(input, names_shared_string).size() != 0) {
            return Verdict{Cause::refcount,
                           fmt::format("{} {} the last byte of a Perl string's buffer: how many "
                                       "scalars share it",
                                       first_named(input, names_shared_string),
                                       *input.change > 0 ? "adds 1 to" : "takes 1 from")};
        }
    }
    if (is_php(input.module) && width == 4 && !is_indexed && address.displacement == 0 &&
        input.header.php_value) {
        return Verdict{
            Cause::refcount,
            fmt::format("{}, the count of a PHP value: its type follows", describe_change(input))};
    }
    return std::nullopt;
}

bool is_container(std::string_view type) {
    constexpr std::string_view kTypes[] = {"list",
                                           "dict",
                                           "set",
                                           "frozenset",
                                           "tuple",
                                           "bytearray",
                                           "array.array",
                                           "collections.deque",
                                           "collections.OrderedDict",
                                           "collections.defaultdict",
                                           "collections.Counter"};
    return std::ranges::find(kTypes, type) != std::end(kTypes);
}

std::optional<Verdict> find_in_object(const CauseInput& input) {
    switch (input.place) {
        case PythonPlace::gc_header:
            return Verdict{Cause::gc_header,
                           fmt::format("the header that the garbage collector keeps before {}",
                                       describe_object(input))};
        case PythonPlace::object_hash:
            return Verdict{Cause::hash_cache,
                           fmt::format("the hash that {} remembers once it was asked for",
                                       describe_object(input))};
        case PythonPlace::items:
            return Verdict{Cause::container,
                           fmt::format("the items, keys or table of {}: a register points to it",
                                       describe_object(input))};
        case PythonPlace::code:
            return Verdict{Cause::code_cache,
                           "inside a code object, where the interpreter adapts instructions and "
                           "keeps their caches"};
        case PythonPlace::object_field:
            if (is_container(input.object_type)) {
                return Verdict{Cause::container,
                               fmt::format("a size or pointer inside {}", describe_object(input))};
            }
            if (input.object_type == "function") {
                return Verdict{Cause::code_cache,
                               "the version number that a function object gets "
                               "when a call of it is adapted"};
            }
            return Verdict{Cause::store, fmt::format("a field of {}", describe_object(input))};
        case PythonPlace::object_start:
            // A count that changes by more, or is set: the object is made anew or given back.
            if (const auto name = first_named(input, names_object_allocator); !name.empty()) {
                return Verdict{Cause::allocator,
                               fmt::format("{} where {} starts", name, describe_object(input))};
            }
            return std::nullopt;
        default:
            return std::nullopt;
    }
}

std::optional<Verdict> find_in_runtime(const CauseInput& input) {
    switch (input.place) {
        case PythonPlace::frame:
            return Verdict{Cause::runtime_state,
                           "a frame of the interpreter: a function's locals and its stack"};
        case PythonPlace::type:
            return Verdict{Cause::runtime_state,
                           "inside a type object: its version tag or method cache"};
        case PythonPlace::thread_state:
            return Verdict{Cause::runtime_state, "the interpreter's state of this thread"};
        case PythonPlace::interpreter_state:
        case PythonPlace::runtime:
            if (const auto name = first_named(input, names_object_allocator); !name.empty()) {
                return Verdict{Cause::allocator,
                               fmt::format("{}, in the allocator's own tables", name)};
            }
            return Verdict{Cause::runtime_state, "the interpreter's own state"};
        default:
            return std::nullopt;
    }
}

std::optional<Verdict> find_in_allocator(const CauseInput& input) {
    if (input.place == PythonPlace::pool_header) {
        return Verdict{Cause::allocator,
                       "the header of a pool of the small-object allocator: a block is taken or "
                       "given back"};
    }
    if (const auto name = first_named(input, names_container); !name.empty()) {
        const bool on_heap = input.place == PythonPlace::pool_block ||
                             input.region == Region::heap || input.region == Region::anonymous;
        if (on_heap) {
            return Verdict{Cause::container,
                           fmt::format("{} writes to a block that is no object: the items or keys "
                                       "of a container",
                                       name)};
        }
    }
    if (input.place == PythonPlace::pool_block) {
        return Verdict{Cause::allocator,
                       "a block of the small-object allocator that held no object: a new object, "
                       "its data, or one just freed"};
    }
    const bool on_heap = input.region == Region::heap || input.region == Region::anonymous;
    if (is_malloc_library(input.module) && on_heap) {
        return Verdict{Cause::allocator,
                       fmt::format("{} is a malloc, and keeps its books", input.module)};
    }
    if (is_php(input.module) && on_heap) {
        if (const auto name = first_named(input, names_php_allocator); !name.empty()) {
            return Verdict{Cause::allocator,
                           fmt::format("{} keeps PHP's lists of free blocks in the blocks", name)};
        }
    }
    if (input.in_libc && (on_heap || input.region == Region::library_data)) {
        const auto name = first_named(input, names_libc_allocator);
        if (!name.empty()) {
            return Verdict{
                Cause::allocator,
                fmt::format("{} keeps its books beside the blocks that it gives out", name)};
        }
    }
    return std::nullopt;
}

std::optional<Verdict> find_by_region(const CauseInput& input) {
    switch (input.region) {
        case Region::got:
            if (input.in_dynamic_linker) {
                return Verdict{Cause::lazy_binding,
                               fmt::format("the dynamic linker writes the offset table of {}",
                                           input.region_name)};
            }
            break;
        case Region::library_data:
        case Region::program_data:
            if (!input.in_interpreter_data) break;
            if (const auto name = first_named(input, names_object_allocator); !name.empty()) {
                return Verdict{Cause::allocator,
                               fmt::format("{}, in the allocator's own tables", name)};
            }
            return Verdict{Cause::runtime_state,
                           fmt::format("a variable of the interpreter's, in the data of {}",
                                       input.region_name)};
        default:
            break;
    }
    if (input.region == Region::library_data || input.region == Region::got) {
        return Verdict{Cause::library_data,
                       fmt::format("the address is in the data of {}", input.region_name)};
    }
    return std::nullopt;
}

Verdict plain_store(const CauseInput& input) {
    std::string evidence = "the program's own write";
    if (input.region == Region::program_data) {
        evidence += fmt::format(", to the data of {}", input.region_name);
    } else if (counts_by_one(input)) {
        evidence += fmt::format("; {}, but nothing says that it is a reference count",
                                describe_change(input));
    }
    return {Cause::store, evidence};
}

Verdict decide(const CauseInput& input) {
    if (auto count = find_reference_count(input)) return *count;
    if (auto count = find_counted_header(input)) return *count;
    if (input.region == Region::stack) {
        return {Cause::stack, "the address is on a thread's stack"};
    }
    for (const auto rule : {find_in_object, find_in_runtime, find_in_allocator, find_by_region}) {
        if (auto verdict = rule(input)) return *verdict;
    }
    return plain_store(input);
}

}  // namespace

bool is_of_object(Cause cause) {
    return cause == Cause::refcount || cause == Cause::gc_header || cause == Cause::hash_cache ||
           cause == Cause::container || cause == Cause::store;
}

std::optional<Verdict> find_cause(const CauseInput& input) {
    if (input.instruction == nullptr) {
        return Verdict{Cause::unknown, "the instruction could not be decoded"};
    }
    if (!input.instruction->writes()) return std::nullopt;
    Verdict verdict = decide(input);
    if (input.is_finalizing) verdict.evidence += "; the interpreter is being taken down at exit";
    return verdict;
}

}  // namespace cowscope::attribute
