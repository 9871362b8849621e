// The value that an instruction is about to store.
//
// A trace keeps the bytes of each writing instruction, the registers of a few of its events, and
// the memory word as it was before the write. Together they tell a reference count going up from
// any other store, without decoding backwards.
#pragma once

#include <cstdint>
#include <optional>

#include "arch/decoder.h"

namespace cowscope::decode {

using arch::Access;
using arch::Decoder;
using arch::Effect;
using arch::EffectiveAddress;
using arch::Instruction;
using arch::Operation;
using arch::RegisterPart;
using arch::Registers;
using arch::Source;
using arch::WriteKind;

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

}  // namespace cowscope::decode
