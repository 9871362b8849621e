// Why a page was copied, typed. What a cause is called is said here and nowhere else.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/members.h"

namespace cowscope::runtime {

enum class Cause : uint8_t {
    refcount,
    gc_header,
    hash_cache,
    container,
    code_cache,
    allocator,
    runtime_state,
    lazy_binding,
    library_data,
    stack,
    kernel,
    store,
    unknown,
};

// As reports name them, in the same order.
inline constexpr std::array<std::string_view, 13> kCauseNames = {
    "refcount",  "gc-header",     "hash-cache",   "container",    "code-cache",
    "allocator", "runtime-state", "lazy-binding", "library-data", "stack",
    "kernel",    "store",         "unknown"};
static_assert(kCauseNames.size() == static_cast<size_t>(Cause::unknown) + 1);

constexpr std::string_view cause_name(Cause cause) {
    return kCauseNames[static_cast<size_t>(cause)];
}

// The order of sums by cause, where two are equal.
struct ByName {
    bool operator()(Cause a, Cause b) const { return cause_name(a) < cause_name(b); }
};

// Whether it is a cause that the type of the written object says something about.
constexpr bool is_of_object(Cause cause) {
    return cause == Cause::refcount || cause == Cause::gc_header || cause == Cause::hash_cache ||
           cause == Cause::container || cause == Cause::store;
}

// A cause with its family: the same cause has another remedy in another runtime.
struct RuntimeCause {
    Cause cause = Cause::unknown;
    Id runtime = Id::none;

    auto operator<=>(const RuntimeCause&) const = default;
};

struct Verdict {
    Cause cause = Cause::unknown;
    std::string evidence;   // one sentence's part, for people
    Id runtime = Id::none;  // whose rule decided; none: no runtime's
};

}  // namespace cowscope::runtime
