// Hashes of numbers and bytes. None of them withstands who chooses what is hashed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace cowscope {

// For tables of a power of two of slots: the slot is in the upper bits. Fibonacci hashing (Knuth,
// The Art of Computer Programming 3, 6.4): the multiplier is 2^64 divided by the golden ratio.
constexpr uint64_t scattered(uint64_t value) {
    return value * 0x9e3779b97f4a7c15;
}

// Every bit of the value changes every bit of the result. The finalizer of SplitMix64 (Steele, Lea,
// Flood: Fast Splittable Pseudorandom Number Generators, 2014).
constexpr uint64_t mixed(uint64_t value) {
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return value ^ value >> 31;
}

// FNV-1a, 64 bits. http://www.isthe.com/chongo/tech/comp/fnv/
inline uint64_t hash_of(std::span<const std::byte> bytes, uint64_t seed = 0) {
    constexpr uint64_t kPrime = 0x100000001b3;
    uint64_t hash = 0xcbf29ce484222325 ^ seed;
    for (const std::byte each : bytes) hash = (hash ^ static_cast<uint64_t>(each)) * kPrime;
    return hash;
}

}  // namespace cowscope
