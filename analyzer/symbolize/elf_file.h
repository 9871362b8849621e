// One ELF file with its separate debug files, opened through libdwfl.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "symbolize/module_layout.h"
#include "symbolize/range_map.h"

struct Dwarf;
struct Dwfl;
struct Dwfl_Module;
struct Elf;

namespace cowscope::symbolize {

struct Symbol {
    // Not demangled; at most kMostNameBytes of it. Stands in the file's table, which may hold one
    // long name for many symbols; valid while the file is open.
    std::string_view name;
    uint64_t vaddr = 0;
    uint64_t size_bytes = 0;  // 0: the table does not tell
};

// Callbacks of libdwfl, which all files share and which must outlive them.
class DebugFileSearch;

class ElfFile {
  public:
    // nullptr where the path names no executable or shared library that can be read; `problem` then
    // says why a file that is there is not, "" for what is no ELF file at all. Never waits,
    // whatever the path names.
    static std::unique_ptr<ElfFile> open(const std::string& path, const DebugFileSearch& search,
                                         std::string* problem);
    ~ElfFile();
    ElfFile(const ElfFile&) = delete;
    ElfFile& operator=(const ElfFile&) = delete;

    [[nodiscard]] const ModuleLayout& layout() const { return layout_; }
    [[nodiscard]] bool is_code(uint64_t vaddr) const;

    // The symbol of code that covers the address; nullptr if there is none.
    const Symbol* code_symbol(uint64_t vaddr);

    // DWARF of the file or of its separate debug file; nullptr if there is none. The bias is what
    // to add to a vaddr of this file for an address in the DWARF. Throws cowscope::Error where a
    // file that it shares with others must not be opened.
    struct DebugInfo {
        Dwarf* dwarf = nullptr;
        uint64_t bias = 0;
        std::string file;  // where it was found
    };
    DebugInfo debug_info();

  private:
    ElfFile(Dwfl* dwfl, Dwfl_Module* module, Elf* elf, uint64_t bias, const std::string& path,
            const DebugFileSearch* search);
    [[nodiscard]] ModuleLayout read_layout() const;
    void read_symbols();
    void find_shared(const DebugInfo& info);
    [[nodiscard]] uint64_t end_of_section(uint64_t vaddr) const;

    Dwfl* dwfl_;
    Dwfl_Module* module_;
    Elf* elf_;
    uint64_t bias_;  // libdwfl's address of vaddr 0
    std::string path_;
    const DebugFileSearch* search_;
    ModuleLayout layout_;
    Dwarf* shared_ = nullptr;
    int shared_fd_ = -1;
    bool has_symbols_ = false;
    RangeMap<Symbol> code_symbols_;
    RangeMap<Symbol> code_labels_;  // without sizes: assembly
};

}  // namespace cowscope::symbolize
