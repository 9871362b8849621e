// Why a page was copied: one pure function from what was seen to a cause and its evidence.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "attribute/counted_header.h"
#include "decode/instruction.h"

namespace cowscope::attribute {

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

// What lies at the address that was written.
enum class Region : uint8_t {
    unknown,
    stack,
    heap,          // [heap], moved by brk
    anonymous,     // mmap without a file: arenas, large blocks
    library_data,  // .data or .bss of a shared library
    program_data,  // .data or .bss of the executable
    got,           // a module's global offset table
    file,          // a private mapping of some other file
};

// What of CPython's lies at the address that was written.
enum class PythonPlace : uint8_t {
    none,
    object_start,  // the reference count of an object in use
    gc_header,     // the collector's, before an object in use
    object_hash,   // the hash that an object in use remembers
    object_field,  // elsewhere in an object in use
    items,         // a container's items, keys or table
    code,          // in a code object, behind its count
    type,          // in a type object, behind its count
    frame,         // a frame of the interpreter's, or a generator's
    pool_header,   // of the small-object allocator
    pool_block,    // a block of it that holds no object in use
    thread_state,
    interpreter_state,
    runtime,  // _PyRuntime
};

struct CauseInput {
    const decode::Instruction* instruction = nullptr;  // nullptr: could not be decoded
    // New minus old value, where the instruction or the exemplars' registers tell; the same for
    // all exemplars.
    std::optional<int64_t> change;
    PythonPlace place = PythonPlace::none;
    std::string_view object_type;  // of the CPython object there; "" where none is known
    Region region = Region::unknown;
    std::string_view region_name;  // module of a library or program's data
    std::vector<std::string_view>
        functions;                // innermost inlined first; the last one is out of line
    bool has_debug_info = false;  // the functions above include inlined ones
    // The functions that called those, innermost first: a few native frames.
    std::vector<std::string_view> callers;
    std::string_view module;           // file name of the instruction's
    CountedHeader header;              // what the written word looks like
    bool in_dynamic_linker = false;    // the instruction is ld.so's
    bool in_libc = false;              // the instruction is libc's
    bool in_interpreter_data = false;  // the region is data of the module that holds CPython
    bool is_finalizing = false;        // CPython is being taken down
};

struct Verdict {
    Cause cause = Cause::unknown;
    std::string evidence;
};

// Whether it is a cause that the type of the written object says something about.
bool is_of_object(Cause cause);

// Empty for an instruction that only reads: its fault copied nothing.
std::optional<Verdict> find_cause(const CauseInput& input);

}  // namespace cowscope::attribute
