// Machine code for tests, and the address that an instruction accesses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decode/instruction.h"

namespace cowscope::test {

// "48 83 00 01"
inline std::vector<uint8_t> bytes_of(std::string_view hex) {
    std::vector<uint8_t> bytes;
    for (size_t i = 0; i + 1 < hex.size();) {
        if (hex[i] == ' ') {
            ++i;
            continue;
        }
        bytes.push_back(
            static_cast<uint8_t>(std::stoul(std::string(hex.substr(i, 2)), nullptr, 16)));
        i += 2;
    }
    return bytes;
}

// Address of the first byte of the operand, by what the decoder says of it; empty where it does not
// tell.
inline std::optional<uint64_t> operand_address(const decode::Instruction& instruction,
                                               const decode::Registers& registers) {
    const decode::EffectiveAddress& address = instruction.address;
    if (instruction.access == decode::Access::none || !address.known) return std::nullopt;
    const auto cut = [](uint64_t value, unsigned bytes) {
        return bytes >= 8 ? value : value & ((uint64_t{1} << (bytes * 8)) - 1);
    };
    const auto part = [&](decode::RegisterPart each) {
        return cut(registers.general[each.index] >> each.shift_bits, each.width_bytes);
    };
    const uint64_t sum =
        address.displacement + part(address.base) + part(address.index) * address.scale;
    return cut(sum, address.width_bytes);
}

}  // namespace cowscope::test
