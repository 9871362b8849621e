// What one machine instruction does to memory, and the value that it is about to store.
//
// A trace keeps the bytes of each writing instruction, the registers of a few of its events, and
// the memory word as it was before the write. Together they tell a reference count going up from
// any other store, without decoding backwards.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace cowscope::decode {

// In the order of trace::ExemplarRecord::registers:
// rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15.
struct Registers {
    std::array<uint64_t, 16> general{};
};

enum class Access : uint8_t { none, read, write, read_write };

// Names the instruction's form. Everything that writes memory and is none of the others is `other`:
// and, or, xor, not, neg, shifts, adc, sete, pop to memory, x87 and state saves.
enum class WriteKind : uint8_t {
    none,             // does not write memory
    add_constant,     // add, sub, inc, dec: the change stands in the instruction
    add_register,     // add, sub, xadd with a register
    exchange,         // xchg, cmpxchg
    store_register,   // mov and its kin from a general register
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

// Decodes with Capstone. Not for use by two threads at once.
class Decoder {
  public:
    // Throws std::runtime_error where Capstone was built without this architecture.
    Decoder();
    ~Decoder();
    Decoder(Decoder&&) noexcept;
    Decoder& operator=(Decoder&&) noexcept;

    // The instruction that starts at code[0] and whose address in the process is `address`. Bytes
    // behind it do not matter. Empty where the bytes are no instruction or end within one.
    [[nodiscard]] std::optional<Instruction> decode(std::span<const uint8_t> code,
                                                    uint64_t address);

  private:
    struct Engine;
    std::unique_ptr<Engine> engine_;
};

// The value that the instruction is about to store, cut to width_bytes. `old_value` is what the
// operand holds before the write; its bytes beyond the operand do not matter. `registers` are those
// at the instruction, or nullptr where none were kept. Empty where these do not tell, and for
// anything wider than 8 bytes.
[[nodiscard]] std::optional<uint64_t> value_to_store(const Instruction& instruction,
                                                     const Registers* registers,
                                                     uint64_t old_value);

// New minus old value as a signed number of the operand's width: a 4-byte count that goes from
// 0xffffffff to 0 changes by +1. With nullptr, the change that stands in the instruction itself,
// whatever it meets: that of add_constant only, and old_value is not looked at.
[[nodiscard]] std::optional<int64_t> change_of(const Instruction& instruction,
                                               const Registers* registers, uint64_t old_value);

// Address of the first byte of the operand. An event's address is the faulting byte: it is higher
// than this where the operand crosses into the page that faulted.
[[nodiscard]] std::optional<uint64_t> address_of(const Instruction& instruction,
                                                 const Registers& registers);

}  // namespace cowscope::decode
