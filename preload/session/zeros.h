// What a part of a segment holds before anything stands there.
#pragma once

#include <cstdint>

namespace cowscope::session {

inline constexpr uint64_t kZerosBytes = 8 * 1024;
inline constexpr unsigned char kZeros[kZerosBytes] = {};

}  // namespace cowscope::session
