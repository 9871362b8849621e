#include "arch/code_patterns.h"
#include "tests/catch.h"

using namespace cowscope;

namespace {

arch::ReturnCode code(std::initializer_list<uint8_t> bytes) {
    arch::ReturnCode whole{};
    std::copy(bytes.begin(), bytes.end(), whole.begin());
    return whole;
}

}  // namespace

TEST_CASE("a function that returns a static variable names it", "[decode]") {
    constexpr uint64_t kAt = 0x401000;
    // mov rax, [rip + 0x10]; ret
    CHECK(arch::variable_returned_by(code({0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0xc3}), kAt) ==
          kAt + 7 + 0x10);
    // The same behind endbr64, backwards.
    CHECK(arch::variable_returned_by(
              code({0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x8b, 0x05, 0xf0, 0xff, 0xff, 0xff, 0xc3}),
              kAt) == kAt + 11 - 0x10);
    // It goes on behind the load; it loads into another register.
    CHECK_FALSE(arch::variable_returned_by(code({0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0x90}), kAt));
    CHECK_FALSE(arch::variable_returned_by(code({0x48, 0x8b, 0x0d, 0x10, 0, 0, 0, 0xc3}), kAt));
}
