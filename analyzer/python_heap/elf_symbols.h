// Addresses of exported symbols of a file that a process has mapped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace cowscope::python_heap {

struct ElfSymbols {
    // vaddr of the file's first byte in memory, and the end of what it takes there.
    uint64_t first_vaddr = 0;
    uint64_t end_vaddr = 0;
    std::unordered_map<std::string, uint64_t> vaddrs;
};

// Those of `names` that the file's dynamic symbol table defines, or its full one where it has no
// dynamic one. Nothing for a file that is no ELF file.
std::optional<ElfSymbols> find_symbols(const std::string& path,
                                       const std::vector<std::string>& names);

}  // namespace cowscope::python_heap
