// One ELF file with its separate debug files, opened through libdwfl.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "symbolize/range_map.h"

struct Dwarf;
struct Dwfl;
struct Dwfl_Module;
struct Elf;

namespace cowscope::symbolize {

struct Symbol {
    std::string name;  // not demangled
    uint64_t vaddr = 0;
    uint64_t size_bytes = 0;  // 0: the table does not tell
};

// Callbacks of libdwfl, which all files share and which must outlive them.
class DebugFileSearch;

class ElfFile {
  public:
    // nullptr where the path names no executable or shared library that can be read. Never waits,
    // whatever the path names.
    static std::unique_ptr<ElfFile> open(const std::string& path, const DebugFileSearch& search);
    ~ElfFile();
    ElfFile(const ElfFile&) = delete;
    ElfFile& operator=(const ElfFile&) = delete;

    [[nodiscard]] std::optional<uint64_t> vaddr_of_offset(uint64_t file_offset) const;
    [[nodiscard]] bool is_code(uint64_t vaddr) const;
    [[nodiscard]] std::string section_at(uint64_t vaddr) const;
    [[nodiscard]] std::string build_id() const;

    // The symbol that covers the address; nullptr if there is none.
    const Symbol* code_symbol(uint64_t vaddr);
    const Symbol* data_symbol(uint64_t vaddr);

    // DWARF of the file or of its separate debug file; nullptr if there is none. The bias is what
    // to add to a vaddr of this file for an address in the DWARF.
    struct DebugInfo {
        Dwarf* dwarf = nullptr;
        uint64_t bias = 0;
    };
    DebugInfo debug_info();

  private:
    ElfFile(Dwfl* dwfl, Dwfl_Module* module, Elf* elf, uint64_t bias);
    void read_symbols();
    [[nodiscard]] uint64_t end_of_section(uint64_t vaddr) const;

    Dwfl* dwfl_;
    Dwfl_Module* module_;
    Elf* elf_;
    uint64_t bias_;  // libdwfl's address of vaddr 0
    bool has_symbols_ = false;
    RangeMap<Symbol> code_symbols_;
    RangeMap<Symbol> code_labels_;  // without sizes: assembly
    RangeMap<Symbol> data_symbols_;
};

}  // namespace cowscope::symbolize
