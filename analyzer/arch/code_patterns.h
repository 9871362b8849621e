// Machine code that is known by its form. Each processor's folder implements it in a
// code_patterns.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace cowscope::arch {

// As much as variable_returned_by() looks at.
inline constexpr size_t kReturnBytes = 12;
using ReturnCode = std::array<uint8_t, kReturnBytes>;

// Address of the static variable of 8 bytes whose value the function at `address` returns, where it
// does nothing else. `code` are the function's first bytes.
std::optional<uint64_t> variable_returned_by(const ReturnCode& code, uint64_t address);

}  // namespace cowscope::arch
