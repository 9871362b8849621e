// What counting_writer.cpp and its tests agree on.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace counting_writer {

inline constexpr size_t kPageBytes = 4096;
inline constexpr size_t kPages = 200;
inline constexpr size_t kChildren = 4;
inline constexpr int kStatus = 7;  // where nobody was killed
inline constexpr size_t kFileBytes = kPageBytes;

// Of one child, in the file. Writes that are complete.
struct Count {
    std::atomic<int32_t> pid;
    std::atomic<uint32_t> written;
};
static_assert(kChildren * sizeof(Count) <= kFileBytes);

}  // namespace counting_writer
