#include "runtime/cpython/elf_symbols.h"

#include <algorithm>
#include <cstring>

#include "base/elf_reader.h"

namespace cowscope::cpython {

namespace {

// Interpreters have 2,000 dynamic symbols (70,000 in all) and names of 2 MB. What is beyond these
// bounds is not looked at.
constexpr size_t kMostNameBytes = size_t{32} << 20;
constexpr size_t kMostSymbols = size_t{1} << 22;
constexpr size_t kSymbolsAPart = size_t{1} << 14;

bool is_name(const std::vector<char>& strings, uint32_t at, const std::string& name) {
    return at < strings.size() && name.size() < strings.size() - at &&
           std::memcmp(strings.data() + at, name.c_str(), name.size() + 1) == 0;
}

void read_table(const ElfReader& reader, const std::vector<Elf64_Shdr>& sections,
                const Elf64_Shdr& table, const std::vector<std::string>& names,
                ElfSymbols* symbols) {
    if (table.sh_entsize != sizeof(Elf64_Sym) || table.sh_link >= sections.size()) return;
    const Elf64_Shdr& strings_at = sections[table.sh_link];
    const std::vector<char> strings =
        reader.read<char>(strings_at.sh_offset, std::min(strings_at.sh_size, kMostNameBytes));
    const size_t count = std::min(table.sh_size / sizeof(Elf64_Sym), kMostSymbols);
    for (size_t done = 0; done < count && !reader.must_stop();) {
        const auto part = reader.read<Elf64_Sym>(table.sh_offset + done * sizeof(Elf64_Sym),
                                                 std::min(count - done, kSymbolsAPart));
        if (part.empty()) return;
        done += part.size();
        for (const Elf64_Sym& symbol : part) {
            if (symbol.st_shndx == SHN_UNDEF || symbol.st_value == 0) continue;
            for (const std::string& name : names) {
                if (is_name(strings, symbol.st_name, name)) {
                    symbols->vaddrs.emplace(name, symbol.st_value);
                }
            }
        }
    }
}

}  // namespace

std::optional<ElfSymbols> find_symbols(int file, const std::vector<std::string>& names,
                                       const std::function<bool()>& must_stop) {
    const ElfReader reader(file, must_stop);
    const auto header = reader.header();
    const bool is_known = header && header->e_ident[EI_DATA] == ELFDATA2LSB &&
                          header->e_phentsize == sizeof(Elf64_Phdr);
    if (!is_known) return std::nullopt;
    ElfSymbols symbols;
    for (const Elf64_Phdr& segment : reader.segments(*header)) {
        if (segment.p_type != PT_LOAD) continue;
        if (segment.p_offset == 0) symbols.first_vaddr = segment.p_vaddr;
        symbols.end_vaddr = std::max(symbols.end_vaddr, segment.p_vaddr + segment.p_memsz);
    }
    if (header->e_shentsize != sizeof(Elf64_Shdr)) return symbols;
    const auto sections = reader.sections(*header);
    for (const Elf64_Word wanted : {Elf64_Word{SHT_DYNSYM}, Elf64_Word{SHT_SYMTAB}}) {
        for (const Elf64_Shdr& section : sections) {
            if (section.sh_type == wanted) read_table(reader, sections, section, names, &symbols);
        }
        if (!symbols.vaddrs.empty()) break;
    }
    if (reader.must_stop()) return std::nullopt;
    return symbols;
}

}  // namespace cowscope::cpython
