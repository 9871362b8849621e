// A hash of words, for tables that name things by it.
#pragma once

#include <cstdint>

namespace cowscope {

inline uint64_t hash_words(const uint64_t* words, uint64_t count) {
    // MurmurHash2's mixing step, 64-bit variant (public domain, Austin Appleby).
    constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995u;
    uint64_t hash = count * kMultiplier;
    for (uint64_t i = 0; i < count; ++i) {
        uint64_t word = words[i] * kMultiplier;
        word ^= word >> 47;
        hash = (hash ^ (word * kMultiplier)) * kMultiplier;
    }
    return hash ^ (hash >> 47);
}

}  // namespace cowscope
