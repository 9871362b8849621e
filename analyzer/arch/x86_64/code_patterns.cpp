#include "arch/code_patterns.h"

#include <algorithm>
#include <cstring>

namespace cowscope::arch {

// mov rax, [rip + displacement]; ret. Perhaps behind an endbr64.
std::optional<uint64_t> variable_returned_by(const ReturnCode& code, uint64_t address) {
    constexpr std::array<uint8_t, 4> kEndBranch = {0xf3, 0x0f, 0x1e, 0xfa};
    constexpr std::array<uint8_t, 3> kLoad = {0x48, 0x8b, 0x05};
    constexpr uint8_t kReturn = 0xc3;
    constexpr size_t kLoadBytes = 7;
    size_t at = std::equal(kEndBranch.begin(), kEndBranch.end(), code.begin()) ? 4 : 0;
    if (!std::equal(kLoad.begin(), kLoad.end(), code.begin() + at)) return std::nullopt;
    int32_t displacement = 0;
    std::memcpy(&displacement, &code[at + kLoad.size()], sizeof(displacement));
    at += kLoadBytes;
    if (at < code.size() && code[at] != kReturn) return std::nullopt;
    return address + at + static_cast<uint64_t>(int64_t{displacement});
}

}  // namespace cowscope::arch
