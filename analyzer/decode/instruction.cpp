#include "decode/instruction.h"

#include <bit>

namespace cowscope::decode {

namespace {

// The widest value that a trace keeps: one word.
constexpr unsigned kWordBytes = 8;

uint64_t low_bytes(uint64_t value, unsigned bytes) {
    return bytes >= kWordBytes ? value : value & ((uint64_t{1} << (bytes * 8)) - 1);
}

int64_t sign_extend(uint64_t value, unsigned bytes) {
    const unsigned spare_bits = 64 - bytes * 8;
    return static_cast<int64_t>(value << spare_bits) >> spare_bits;
}

uint64_t read_part(const Registers& registers, RegisterPart part) {
    return low_bytes(registers.general[part.index] >> part.shift_bits, part.width_bytes);
}

std::optional<uint64_t> read_source(const Source& source, const Registers* registers) {
    if (source.part.width_bytes == 0) return source.immediate;
    if (registers == nullptr) return std::nullopt;
    return read_part(*registers, source.part);
}

uint64_t swap_bytes(uint64_t value, unsigned bytes) {
    return __builtin_bswap64(value) >> (64 - bytes * 8);
}

uint64_t rotate_left(uint64_t value, unsigned count, unsigned bytes) {
    const unsigned bits = bytes * 8;
    const unsigned by = count % bits;
    return by == 0 ? value : (value << by) | (value >> (bits - by));
}

uint64_t single_bit(uint64_t index, unsigned bytes) {
    return uint64_t{1} << (index % (bytes * 8));
}

// `old_value` is cut to `bytes`; bits of the result beyond them mean nothing.
std::optional<uint64_t> apply(Operation operation, uint64_t old_value, uint64_t source,
                              unsigned bytes) {
    const unsigned count = arch::shift_count(source, bytes);
    switch (operation) {
        case Operation::unknown:
        case Operation::compare_exchange:
            return std::nullopt;
        case Operation::replace:
            return source;
        case Operation::replace_byte_swapped:
            return swap_bytes(source, bytes);
        case Operation::add:
            return old_value + source;
        case Operation::subtract:
            return old_value - source;
        case Operation::bit_and:
            return old_value & source;
        case Operation::bit_or:
            return old_value | source;
        case Operation::bit_xor:
            return old_value ^ source;
        case Operation::invert:
            return ~old_value;
        case Operation::negate:
            return 0 - old_value;
        case Operation::shift_left:
            return old_value << count;
        case Operation::shift_right:
            return old_value >> count;
        case Operation::shift_right_signed:
            return static_cast<uint64_t>(sign_extend(old_value, bytes) >> count);
        case Operation::rotate_left:
            return rotate_left(old_value, count, bytes);
        case Operation::rotate_right:
            return rotate_left(old_value, bytes * 8 - count % (bytes * 8), bytes);
        case Operation::set_bit:
            return old_value | single_bit(source, bytes);
        case Operation::clear_bit:
            return old_value & ~single_bit(source, bytes);
        case Operation::flip_bit:
            return old_value ^ single_bit(source, bytes);
    }
    return std::nullopt;
}

bool is_one_word(const Instruction& instruction) {
    return instruction.writes() && instruction.width_bytes > 0 &&
           instruction.width_bytes <= kWordBytes && std::has_single_bit(instruction.width_bytes);
}

}  // namespace

std::optional<uint64_t> value_to_store(const Instruction& instruction, const Registers* registers,
                                       uint64_t old_value) {
    if (!is_one_word(instruction)) return std::nullopt;
    const unsigned bytes = instruction.width_bytes;
    const Effect& effect = instruction.effect;
    const uint64_t before = low_bytes(old_value, bytes);
    const std::optional<uint64_t> source = read_source(effect.source, registers);
    if (!source) return std::nullopt;
    if (effect.operation == Operation::compare_exchange) {
        if (registers == nullptr) return std::nullopt;
        // The processor writes the old value back where the comparison fails (Intel SDM, CMPXCHG).
        return low_bytes(before == read_part(*registers, effect.expected) ? *source : before,
                         bytes);
    }
    const std::optional<uint64_t> after = apply(effect.operation, before, *source, bytes);
    if (!after) return std::nullopt;
    return low_bytes(*after, bytes);
}

std::optional<int64_t> change_of(const Instruction& instruction, const Registers* registers,
                                 uint64_t old_value) {
    // A constant that is stored is no change: without an event there is nothing to compare it with.
    if (registers == nullptr && instruction.write != WriteKind::add_constant) return std::nullopt;
    const std::optional<uint64_t> after = value_to_store(instruction, registers, old_value);
    if (!after) return std::nullopt;
    return sign_extend(*after - old_value, instruction.width_bytes);
}

}  // namespace cowscope::decode
