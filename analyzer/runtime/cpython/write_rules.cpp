#include "runtime/cpython/write_rules.h"

#include <algorithm>
#include <iterator>
#include <string>

#include <fmt/format.h>

#include "runtime/cpython/native_names.h"
#include "runtime/cpython/written_memory.h"
#include "runtime/function_names.h"
#include "runtime/table.h"

namespace cowscope::cpython {
namespace {

using runtime::Cause;
using runtime::Verdict;
using runtime::Write;

MemoryKind kind_of(const Write& write) {
    return write.target.kind_in<MemoryKind>(runtime::Id::cpython);
}

// "an object of type str", "an object".
std::string describe_object(const Write& write) {
    if (write.object_type.empty()) return "a CPython object";
    return fmt::format("a CPython object of type {}", write.object_type);
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

Verdict of_object_field(const Write& write) {
    if (is_container(write.object_type)) {
        return {Cause::container,
                fmt::format("a size or pointer inside {}", describe_object(write))};
    }
    if (write.object_type == "function") {
        return {Cause::code_cache,
                "the version number that a function object gets when a call of it is adapted"};
    }
    return {Cause::store, fmt::format("a field of {}", describe_object(write))};
}

std::optional<Verdict> of_own_tables(const Write& write) {
    const auto name = runtime::first_named(write, names_object_allocator);
    if (name.empty()) return std::nullopt;
    return Verdict{Cause::allocator, fmt::format("{}, in the allocator's own tables", name)};
}

// A block that is no object, as far as the address tells.
std::optional<Verdict> of_block(const Write& write) {
    const bool in_pool = kind_of(write) == MemoryKind::pool_block;
    const auto name = runtime::first_named(write, names_container);
    if (!name.empty() && (in_pool || runtime::is_on_heap(write))) {
        return Verdict{Cause::container,
                       fmt::format("{} writes to a block that is no object: the items or keys "
                                   "of a container",
                                   name)};
    }
    if (!in_pool) return std::nullopt;
    return Verdict{Cause::allocator,
                   "a block of the small-object allocator that held no object: a new object, its "
                   "data, or one just freed"};
}

}  // namespace

std::optional<Verdict> find_count(const Write& write) {
    if (kind_of(write) != MemoryKind::object_start || !runtime::counts_by_one(write)) {
        return std::nullopt;
    }
    const auto named = std::ranges::find_if(write.functions, runtime::names_reference_count);
    const std::string by =
        named != write.functions.end() ? fmt::format("{} ", runtime::base_name(*named)) : "";
    return Verdict{Cause::refcount,
                   fmt::format("{}{} where a CPython object of type {} starts", by,
                               runtime::describe_change(write), write.object_type)};
}

std::optional<Verdict> find_in_memory(const Write& write) {
    switch (kind_of(write)) {
        case MemoryKind::object_start:
            // A count that changes by more, or is set: the object is made anew or given back.
            if (const auto name = runtime::first_named(write, names_object_allocator);
                !name.empty()) {
                return Verdict{Cause::allocator,
                               fmt::format("{} where {} starts", name, describe_object(write))};
            }
            return of_block(write);
        case MemoryKind::gc_header:
            return Verdict{Cause::gc_header,
                           fmt::format("the header that the garbage collector keeps before {}",
                                       describe_object(write))};
        case MemoryKind::object_hash:
            return Verdict{Cause::hash_cache,
                           fmt::format("the hash that {} remembers once it was asked for",
                                       describe_object(write))};
        case MemoryKind::items:
            return Verdict{Cause::container,
                           fmt::format("the items, keys or table of {}: a register points to it",
                                       describe_object(write))};
        case MemoryKind::code:
            return Verdict{Cause::code_cache,
                           "inside a code object, where the interpreter adapts instructions and "
                           "keeps their caches"};
        case MemoryKind::object_field:
            return of_object_field(write);
        case MemoryKind::frame:
            return Verdict{Cause::runtime_state,
                           "a frame of the interpreter: a function's locals and its stack"};
        case MemoryKind::type:
            return Verdict{Cause::runtime_state,
                           "inside a type object: its version tag or method cache"};
        case MemoryKind::thread_state:
            return Verdict{Cause::runtime_state, "the interpreter's state of this thread"};
        case MemoryKind::interpreter_state:
        case MemoryKind::runtime: {
            if (auto tables = of_own_tables(write)) return tables;
            return Verdict{Cause::runtime_state, "the interpreter's own state"};
        }
        case MemoryKind::pool_header:
            return Verdict{Cause::allocator,
                           "the header of a pool of the small-object allocator: a block is taken "
                           "or given back"};
        case MemoryKind::pool_block:
        case MemoryKind::none:
            break;
    }
    return of_block(write);
}

std::optional<Verdict> find_in_data(const Write& write) {
    const bool in_data = write.region == runtime::Region::library_data ||
                         write.region == runtime::Region::program_data;
    if (!in_data || write.module_of != runtime::Id::cpython) return std::nullopt;
    if (auto tables = of_own_tables(write)) return tables;
    return Verdict{Cause::runtime_state, fmt::format("a variable of the interpreter's, in the data "
                                                     "of {}",
                                                     write.region_name)};
}

}  // namespace cowscope::cpython
