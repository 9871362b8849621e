// Opens ELF files that wish us ill. Whatever libelf, libdw and libdwfl are to read passes here
// first: they open anything, map what is there and believe the sizes that they find.
#pragma once

#include <cstdint>
#include <string>

namespace cowscope::symbolize {

// Larger files are left out: a hole of a terabyte costs who makes it nothing.
inline constexpr uint64_t kMostFileBytes = uint64_t{4} << 30;

struct OpenedElf {
    int fd = -1;          // the caller closes it
    uint64_t bytes = 0;   // of the file
    std::string problem;  // why a file that is there is not read; "" where there is none
};

// A regular ELF file that can be read safely, for reading. A FIFO or device is not even opened:
// that can block or have effects. Where nothing is there, or what is there is no ELF, no problem is
// told, either.
OpenedElf open_elf(const std::string& path);

// Bytes that compressed sections of all files of this process may grow to.
inline constexpr uint64_t kMostInflatedBytes = uint64_t{448} << 20;

// Names of symbols and in debug information are cut there, in bytes.
inline constexpr size_t kMostNameBytes = 4096;

// Of a text that ends with a NUL somewhere; "" for nullptr.
std::string capped_text(const char* text, size_t most_bytes = kMostNameBytes);

}  // namespace cowscope::symbolize
