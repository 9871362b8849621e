// One kind of write as the rules see it: the instruction, what it changes, and what lies at the
// address. Rules are pure functions of it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decode/instruction.h"
#include "runtime/members.h"

namespace cowscope::runtime {

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

// What a runtime knows to lie at an address: which part of which of its objects or tables.
struct Target {
    Id runtime = Id::none;
    uint8_t kind = 0;   // that runtime's own enumeration; 0: nothing that it knows
    uint32_t type = 0;  // of the object, as trace::EventPlace::type; 0: no object, or not known
    // By what the word looks like alone: the name of a function says more.
    bool is_guess = false;

    auto operator<=>(const Target&) const = default;

    // As that runtime's enumeration; its value 0 where the target is not of that runtime.
    template <typename Kind>
    Kind kind_in(Id of) const {
        return runtime == of ? static_cast<Kind>(kind) : Kind{};
    }
    // Whether no other runtime knows better what lies there.
    bool is_free_for(Id other) const { return runtime == Id::none || runtime == other || is_guess; }
};

// Texts must outlive it.
struct Write {
    const decode::Instruction* instruction = nullptr;  // nullptr: could not be decoded
    // New minus old value, where the instruction or the exemplars' registers tell; the same for
    // all exemplars.
    std::optional<int64_t> change;
    Target target;
    std::string_view object_type;  // name of target.type; "" where none is known
    Region region = Region::unknown;
    std::string_view region_name;  // module of a library's or program's data
    Id module_of = Id::none;       // the runtime that the region's module holds
    // Of the instruction, innermost inlined first; the last one is out of line.
    std::vector<std::string_view> functions;
    bool has_debug_info = false;  // the functions above include inlined ones
    // The functions that called those, innermost first: a few native frames.
    std::vector<std::string_view> callers;
    std::string_view module;         // file name of the instruction's
    bool in_dynamic_linker = false;  // the instruction is ld.so's
    bool is_finalizing = false;      // a runtime is being taken down
};

bool is_on_heap(const Write& write);

// Reference counts are words of 4 or 8 bytes that change by one.
bool counts_by_one(const Write& write);

// "adds 1 to an 8-byte word": of a write with a known change.
std::string describe_change(const Write& write);

// The first function, of the instruction's own and then of its callers, that `names` knows, without
// its qualification; "" where there is none.
std::string_view first_named(const Write& write, bool (*names)(std::string_view));

}  // namespace cowscope::runtime
