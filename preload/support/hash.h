// A hash of words, for tables that name things by it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

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

inline uint64_t hash_text(const char* text, size_t bytes) {
    uint64_t hash = bytes;
    for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
        uint64_t words[] = {hash, 0};
        std::memcpy(&words[1], text + at,
                    bytes - at < sizeof(uint64_t) ? bytes - at : sizeof(uint64_t));
        hash = hash_words(words, 2);
    }
    return hash;
}

}  // namespace cowscope
