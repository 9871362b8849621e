// What kind of object lies at an address of another process. A word is an object only where its
// type is one whose own type, in turn, is a type: anything else is none, never a guess.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "runtime/cpython/heap_layout.h"
#include "runtime/heap/process_memory.h"

namespace cowscope::cpython {

using runtime::Memory;

enum class Kind : uint8_t {
    leaf,  // refers to no other object
    str,
    bytes,
    number,  // int
    dict,
    list,
    tuple,
    set,
    deque,
    type,
    module,
    function,
    instance,  // of a class made by Python code
    opaque,    // of a type made in C: whatever it refers to directly
    weak,      // refers to others without keeping them
};

struct TypeInfo {
    uint64_t address = 0;
    Kind kind = Kind::leaf;
    uint64_t flags = 0;
    uint64_t basic_size = 0;
    uint64_t item_size = 0;
    int64_t dict_offset = 0;
    // Where the fields of Python classes (slots) begin: behind those of the last base made in C.
    uint64_t slots_start = kObjectBytes;
    std::string name;  // tp_name

    bool has(uint64_t flag) const { return (flags & flag) != 0; }
};

class Types {
  public:
    Types(const HeapLayout& layout, Memory* memory) : layout_(layout), memory_(*memory) {}

    // nullptr where no object starts.
    const TypeInfo* type_of(uint64_t object);
    const TypeInfo* type_at(uint64_t type) { return info(type, 0); }

    // The start of a str's text, in UTF-8; "" for anything else. At most `most` characters.
    std::string text(uint64_t object, size_t most);
    // Whether the text went on behind `most` characters is told by its length.
    uint64_t text_length(uint64_t object);
    // Bytes of the object itself.
    uint64_t size_of(uint64_t object, const TypeInfo& type);
    // Of the text of a str, as it lies in memory; 0 bytes where it lies apart from the object.
    struct Text {
        uint64_t start = 0;
        uint64_t bytes = 0;
        unsigned bytes_a_character = 1;
    };
    Text text_of(uint64_t object);

  private:
    const TypeInfo* info(uint64_t type, int depth);
    const TypeInfo* find_out(uint64_t type, int depth);
    bool is_type(uint64_t object, int depth);
    Kind kind_of(const TypeInfo& type, uint64_t base, int depth);

    const HeapLayout& layout_;
    Memory& memory_;
    std::unordered_map<uint64_t, TypeInfo> known_;
    std::unordered_map<uint64_t, bool> refused_;
    // Most objects are of few types. nullptr: none.
    std::array<const TypeInfo*, 64> recent_{};
};

}  // namespace cowscope::cpython
