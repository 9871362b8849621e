// Addresses of exported symbols of a file that a process has mapped.
//
// The file is the process's and may be anything: it is read into memory, never mapped (who
// truncates a mapped file ends its reader), in parts of a bounded size, and names are compared
// where they stand.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace cowscope::cpython {

struct ElfSymbols {
    // vaddr of the file's first byte in memory, and the end of what it takes there.
    uint64_t first_vaddr = 0;
    uint64_t end_vaddr = 0;
    std::unordered_map<std::string, uint64_t> vaddrs;
};

// Those of `names` that the file's dynamic symbol table defines, or its full one where that has
// none of them. Nothing for what is no 64-bit ELF file, and where `must_stop` says so.
std::optional<ElfSymbols> find_symbols(int file, const std::vector<std::string>& names,
                                       const std::function<bool()>& must_stop = {});

}  // namespace cowscope::cpython
