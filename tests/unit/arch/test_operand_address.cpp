#include "tests/catch.h"
#include "tests/unit/arch/machine_code.h"

using namespace cowscope;

TEST_CASE("addresses of operands", "[decode]") {
    constexpr uint64_t kAddress = 0x401000;
    decode::Registers registers;
    registers.general[0] = 0x7f0000001000;
    registers.general[1] = 3;
    registers.general[4] = 0x7fff00000100;
    registers.general[7] = 0x600000;
    const auto address = [&](std::string_view hex) {
        return test::operand_address(*decode::Decoder().decode(test::bytes_of(hex), kAddress),
                                     registers);
    };
    CHECK(address("48 83 00 01") == 0x7f0000001000);
    CHECK(address("48 89 54 c8 f0") == 0x7f0000001000 + 24 - 16);
    CHECK(address("48 89 05 10 00 00 00") == kAddress + 7 + 0x10);
    CHECK(address("67 48 89 10") == 0x1000);
    CHECK(address("f3 a4") == 0x600000);
    CHECK(address("55") == 0x7fff000000f8);
    CHECK(address("e8 00 00 00 00") == 0x7fff000000f8);
    CHECK(address("ff 30") == 0x7fff000000f8);
    CHECK(address("66 0f f7 c1") == 0x600000);
    CHECK_FALSE(address("64 48 89 04 25 28 00 00 00"));
    CHECK_FALSE(address("0f ab 07"));
    CHECK_FALSE(address("48 01 c8"));
}
