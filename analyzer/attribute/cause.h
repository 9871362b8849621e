// Why a page was copied: one pure function from what was seen to a cause and its evidence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decode/instruction.h"

namespace cowscope::attribute {

enum class Cause : uint8_t {
    refcount,
    lazy_binding,
    library_data,
    stack,
    kernel,
    store,
    unknown,
};

// As reports name it: "refcount", "lazy-binding", …
std::string_view cause_name(Cause cause);

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

struct CauseInput {
    const decode::Instruction* instruction = nullptr;  // nullptr: could not be decoded
    // New minus old value, where the instruction or the exemplars' registers tell; the same for
    // all exemplars.
    std::optional<int64_t> change;
    // The written word is followed by the address of this type: a CPython object starts here.
    std::string_view object_type;
    Region region = Region::unknown;
    std::string_view region_name;  // module of a library or program's data
    std::vector<std::string_view>
        functions;                   // innermost inlined first; the last one is out of line
    bool has_debug_info = false;     // the functions above include inlined ones
    bool in_dynamic_linker = false;  // the instruction is ld.so's
};

struct Verdict {
    Cause cause = Cause::unknown;
    std::string evidence;
};

// Empty for an instruction that only reads: its fault copied nothing.
std::optional<Verdict> find_cause(const CauseInput& input);

}  // namespace cowscope::attribute
