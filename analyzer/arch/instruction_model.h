// What one machine instruction does to memory, in words that hold for any processor. A processor's
// Decoder fills it, decode/ computes with it.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "arch/processor.h"

namespace cowscope::arch {

// The general registers of one event, as trace::ExemplarRecord::registers has them. Their order is
// the processor's (arch/processor.h).
struct Registers {
    std::array<uint64_t, kRegisterCount> general{};
};

enum class Access : uint8_t { none, read, write, read_write };

// Names the instruction's form. Everything that writes memory and is none of the others is `other`:
// and, or, xor, not, neg, shifts, adc, sete, pop to memory, x87 and state saves.
enum class WriteKind : uint8_t {
    none,             // does not write memory
    add_constant,     // add, sub, inc, dec: the change stands in the instruction
    add_register,     // add, sub, xadd with a register
    exchange,         // xchg, cmpxchg
    store_register,   // mov and the like, from a general register
    store_immediate,  // mov of a constant
    string,           // movs, stos, ins; with a rep prefix or without
    vector_store,     // from a vector or mask register, whole or in part
    push_or_call,     // onto the stack, without an operand that says so
    other,
};

// How the new value follows from the old one and the source.
enum class Operation : uint8_t {
    unknown,  // depends on flags, vector registers or other memory
    replace,
    replace_byte_swapped,
    add,
    subtract,
    bit_and,
    bit_or,
    bit_xor,
    invert,
    negate,
    shift_left,
    shift_right,
    shift_right_signed,
    rotate_left,
    rotate_right,
    set_bit,
    clear_bit,
    flip_bit,
    compare_exchange,  // the source, if the old value equals Effect::expected
};

// A general register or a part of one: ah is {0, 8, 1}.
struct RegisterPart {
    uint8_t index = 0;  // into Registers::general
    uint8_t shift_bits = 0;
    uint8_t width_bytes = 0;  // 0: no register
};

struct Source {
    RegisterPart part;       // where width_bytes is 0, the immediate is meant
    uint64_t immediate = 0;  // sign-extended as the instruction does it
};

struct Effect {
    Operation operation = Operation::unknown;
    Source source;
    RegisterPart expected;
};

// Address of the operand: base + index * scale + displacement, cut to width_bytes.
struct EffectiveAddress {
    bool known = false;  // false: with a segment base, a vector of indices, or a bit index
    RegisterPart base;
    RegisterPart index;
    uint8_t scale = 1;
    uint8_t width_bytes = 8;
    uint64_t displacement = 0;  // of a rip-relative operand: its address
};

struct Instruction {
    std::string text;  // Intel syntax as Capstone prints it: "add qword ptr [rax], 1"
    unsigned length_bytes = 0;
    // The fields below speak of the operand that is written, and where none is, of the one that is
    // read. A repeated string instruction counts as one of its steps.
    Access access = Access::none;
    unsigned width_bytes = 0;  // 0: no access, or of a size that the processor's state decides
    WriteKind write = WriteKind::none;
    bool locked = false;    // lock prefix, or xchg, which locks without one
    bool repeated = false;  // string instruction with a rep prefix
    bool vector = false;    // names a vector or mask register (SSE, AVX, AVX-512, MMX)
    Effect effect;
    EffectiveAddress address;

    [[nodiscard]] bool writes() const { return write != WriteKind::none; }
};

}  // namespace cowscope::arch
