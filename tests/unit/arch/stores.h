// The stores to memory that tests put together, from Intel's opcode map.
#pragma once

#include <cstdint>
#include <vector>

namespace cowscope::test {

enum class Immediate : uint8_t { none, byte, full };

// One row of Intel's opcode map: an opcode whose ModRM.rm is the memory that is written.
struct Encoding {
    std::vector<uint8_t> opcode;
    int extension;  // ModRM.reg where the opcode needs one, or -1 for a register
    Immediate immediate;
    bool is_byte;   // 1-byte operand
    bool can_lock;  // takes a lock prefix
};

inline std::vector<Encoding> encodings() {
    std::vector<Encoding> table;
    // add, or, and, sub, xor; not adc and sbb, which depend on flags.
    for (const int group : {0, 1, 4, 5, 6}) {
        const auto base = static_cast<uint8_t>(group * 8);
        table.push_back({{base}, -1, Immediate::none, true, true});
        table.push_back({{static_cast<uint8_t>(base + 1)}, -1, Immediate::none, false, true});
        table.push_back({{0x80}, group, Immediate::byte, true, true});
        table.push_back({{0x81}, group, Immediate::full, false, true});
        table.push_back({{0x83}, group, Immediate::byte, false, true});
    }
    for (const int direction : {0, 1}) {  // inc, dec
        table.push_back({{0xfe}, direction, Immediate::none, true, true});
        table.push_back({{0xff}, direction, Immediate::none, false, true});
    }
    for (const int operation : {2, 3}) {  // not, neg
        table.push_back({{0xf6}, operation, Immediate::none, true, true});
        table.push_back({{0xf7}, operation, Immediate::none, false, true});
    }
    for (const int shift : {0, 1, 4, 5, 6, 7}) {  // rol, ror, shl, shr, sal, sar
        table.push_back({{0xc0}, shift, Immediate::byte, true, false});
        table.push_back({{0xc1}, shift, Immediate::byte, false, false});
        table.push_back({{0xd0}, shift, Immediate::none, true, false});
        table.push_back({{0xd1}, shift, Immediate::none, false, false});
        table.push_back({{0xd2}, shift, Immediate::none, true, false});
        table.push_back({{0xd3}, shift, Immediate::none, false, false});
    }
    for (const int bit : {5, 6, 7}) {  // bts, btr, btc
        table.push_back({{0x0f, 0xba}, bit, Immediate::byte, false, true});
    }
    table.push_back({{0x88}, -1, Immediate::none, true, false});  // mov
    table.push_back({{0x89}, -1, Immediate::none, false, false});
    table.push_back({{0xc6}, 0, Immediate::byte, true, false});
    table.push_back({{0xc7}, 0, Immediate::full, false, false});
    table.push_back({{0x86}, -1, Immediate::none, true, true});  // xchg
    table.push_back({{0x87}, -1, Immediate::none, false, true});
    table.push_back({{0x0f, 0xb0}, -1, Immediate::none, true, true});  // cmpxchg
    table.push_back({{0x0f, 0xb1}, -1, Immediate::none, false, true});
    table.push_back({{0x0f, 0xc0}, -1, Immediate::none, true, true});  // xadd
    table.push_back({{0x0f, 0xc1}, -1, Immediate::none, false, true});
    table.push_back({{0x0f, 0x38, 0xf1}, -1, Immediate::none, false, false});  // movbe
    return table;
}

}  // namespace cowscope::test
