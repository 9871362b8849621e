// How much memory a process that reads symbols may take. Files that are mapped come on top: they
// are as large as they are, and only what is read of them is in memory.
#pragma once

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define COWSCOPE_HAS_SHADOW_MEMORY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COWSCOPE_HAS_SHADOW_MEMORY 1
#endif
#endif

namespace cowscope::symbolize {

// How many times as long the same work takes here: AddressSanitizer's build is a slow one.
#ifdef COWSCOPE_HAS_SHADOW_MEMORY
inline constexpr unsigned kSlowness = 2;
#else
inline constexpr unsigned kSlowness = 1;
#endif

// From now on this process may take so much more than it has. Under AddressSanitizer, which maps
// terabytes, nothing happens.
void limit_memory(uint64_t more_bytes);

// A file of so many bytes is going to be mapped twice: to be checked, and to be read.
void allow_mapping(uint64_t bytes);

}  // namespace cowscope::symbolize
