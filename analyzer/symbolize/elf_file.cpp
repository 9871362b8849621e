#include "symbolize/elf_file.h"

#include <gelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <tuple>
#include <vector>

#include <elfutils/libdwfl.h>

#include "symbolize/debug_file_search.h"
#include "symbolize/elf_opening.h"

namespace cowscope::symbolize {

namespace {

bool is_loadable(Elf* elf) {
    GElf_Ehdr header;
    return gelf_getehdr(elf, &header) != nullptr &&
           (header.e_type == ET_EXEC || header.e_type == ET_DYN);
}

// Calls visit(header) for each PT_LOAD until it returns true.
template <typename Visit>
bool any_segment(Elf* elf, Visit visit) {
    size_t count = 0;
    if (elf_getphdrnum(elf, &count) != 0) return false;
    for (size_t i = 0; i < count; ++i) {
        GElf_Phdr header;
        if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) return false;
        if (header.p_type == PT_LOAD && visit(header)) return true;
    }
    return false;
}

// Calls visit(header) for each section that is in memory until it returns true. Sections of TLS
// without contents have addresses, but no memory there.
template <typename Visit>
bool any_section(Elf* elf, Visit visit) {
    Elf_Scn* section = nullptr;
    while ((section = elf_nextscn(elf, section)) != nullptr) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr) continue;
        const bool is_thread_zero =
            (header.sh_flags & SHF_TLS) != 0 && header.sh_type == SHT_NOBITS;
        if ((header.sh_flags & SHF_ALLOC) == 0 || is_thread_zero) continue;
        if (visit(header)) return true;
    }
    return false;
}

bool has_full_symbol_table(Elf* elf) {
    Elf_Scn* section = nullptr;
    while ((section = elf_nextscn(elf, section)) != nullptr) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) != nullptr && header.sh_type == SHT_SYMTAB) return true;
    }
    return false;
}

// Of several names for one thing the one that people know: malloc, not __libc_malloc.
auto preference(const Symbol& symbol, int binding) {
    size_t underscores = 0;
    if (!symbol.name.starts_with("_Z")) {
        underscores = std::min(symbol.name.find_first_not_of('_'), symbol.name.size());
    }
    return std::make_tuple(underscores, binding == STB_LOCAL, symbol.name.size(), symbol.name);
}

uint64_t end_of(const Symbol& symbol) {
    constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
    return symbol.size_bytes > kMax - symbol.vaddr ? kMax : symbol.vaddr + symbol.size_bytes;
}

}  // namespace

std::unique_ptr<ElfFile> ElfFile::open(const std::string& path, const DebugFileSearch& search,
                                       std::string* problem) {
    struct stat status = {};
    // Mapped files have absolute paths; everything else in /proc/PID/maps ([heap]) is no file. That
    // a program has mapped a device is nothing to tell.
    if (path.empty() || path.front() != '/') return nullptr;
    if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return nullptr;
    const OpenedElf opened = open_elf(path);
    *problem = opened.problem;
    if (opened.fd < 0) return nullptr;
    Dwfl* dwfl = dwfl_begin(search.callbacks());
    if (dwfl == nullptr) {
        close(opened.fd);
        return nullptr;
    }
    // Takes over the descriptor where it succeeds.
    Dwfl_Module* module = dwfl_report_offline(dwfl, path.c_str(), path.c_str(), opened.fd);
    if (module == nullptr) close(opened.fd);
    dwfl_report_end(dwfl, nullptr, nullptr);
    if (module != nullptr) search.attach(module);
    GElf_Addr bias = 0;
    Elf* elf = module == nullptr ? nullptr : dwfl_module_getelf(module, &bias);
    if (elf == nullptr || !is_loadable(elf)) {
        dwfl_end(dwfl);
        return nullptr;
    }
    return std::unique_ptr<ElfFile>(new ElfFile(dwfl, module, elf, bias, path, &search));
}

ElfFile::ElfFile(Dwfl* dwfl, Dwfl_Module* module, Elf* elf, uint64_t bias, const std::string& path,
                 const DebugFileSearch* search)
    : dwfl_(dwfl),
      module_(module),
      elf_(elf),
      bias_(bias),
      path_(path),
      search_(search),
      layout_(read_layout()) {}

ElfFile::~ElfFile() {
    dwfl_end(dwfl_);
    if (shared_ != nullptr) dwarf_end(shared_);
    if (shared_fd_ >= 0) close(shared_fd_);
}

ModuleLayout ElfFile::read_layout() const {
    ModuleLayout layout;
    any_segment(elf_, [&](const GElf_Phdr& segment) {
        layout.segments.push_back({segment.p_offset, segment.p_filesz, segment.p_vaddr});
        return layout.segments.size() == ModuleLayout::kMostSegments;
    });
    size_t names = 0;
    if (elf_getshdrstrndx(elf_, &names) == 0) {
        any_section(elf_, [&](const GElf_Shdr& section) {
            constexpr size_t kMostSectionNameBytes = 256;
            layout.sections.push_back(
                {section.sh_addr, section.sh_size,
                 capped_text(elf_strptr(elf_, names, section.sh_name), kMostSectionNameBytes)});
            return layout.sections.size() == ModuleLayout::kMostSections;
        });
    }
    const unsigned char* bits = nullptr;
    GElf_Addr address = 0;
    constexpr int kMostIdBytes = 64;
    const int count = std::min(dwfl_module_build_id(module_, &bits, &address), kMostIdBytes);
    constexpr char kDigits[] = "0123456789abcdef";
    for (int i = 0; i < count; ++i) {
        layout.build_id += kDigits[bits[i] >> 4];
        layout.build_id += kDigits[bits[i] & 15];
    }
    return layout;
}

bool ElfFile::is_code(uint64_t vaddr) const {
    return any_segment(elf_, [&](const GElf_Phdr& segment) {
        return (segment.p_flags & PF_X) != 0 && vaddr >= segment.p_vaddr &&
               vaddr - segment.p_vaddr < segment.p_memsz;
    });
}

uint64_t ElfFile::end_of_section(uint64_t vaddr) const {
    uint64_t end = 0;
    const auto covers = [&](uint64_t start, uint64_t bytes) {
        if (vaddr < start || vaddr - start >= bytes) return false;
        end = start + bytes;
        return true;
    };
    const bool found = any_section(
        elf_, [&](const GElf_Shdr& section) { return covers(section.sh_addr, section.sh_size); });
    if (!found) {
        any_segment(elf_, [&](const GElf_Phdr& segment) {
            return covers(segment.p_vaddr, segment.p_memsz);
        });
    }
    return end;
}

void ElfFile::read_symbols() {
    struct Candidate {
        Symbol symbol;
        int binding;
        bool is_label;  // good for code without a size
    };
    std::vector<Candidate> candidates;
    // Symbols of code that has no size end where the next one starts.
    std::vector<uint64_t> starts;
    const Elf* last_elf = nullptr;
    bool is_full_table = false;
    const int count = dwfl_module_getsymtab(module_);
    for (int i = 0; i < count; ++i) {
        GElf_Sym entry;
        GElf_Addr address = 0;
        GElf_Word section = 0;
        Elf* elf = nullptr;
        const char* name =
            dwfl_module_getsym_info(module_, i, &entry, &address, &section, &elf, nullptr);
        if (name == nullptr || *name == '\0') continue;
        if (section == SHN_UNDEF || section == SHN_ABS) continue;
        const int type = GELF_ST_TYPE(entry.st_info);
        if (type == STT_SECTION || type == STT_FILE || type == STT_TLS) continue;
        if (elf != last_elf) is_full_table = has_full_symbol_table(elf);
        last_elf = elf;
        const uint64_t vaddr = address - bias_;
        const bool in_code = is_code(vaddr);
        const bool is_code_symbol =
            type == STT_FUNC || type == STT_GNU_IFUNC || (type == STT_NOTYPE && in_code);
        if (!is_code_symbol) continue;
        starts.push_back(vaddr);
        candidates.push_back({{{name, strnlen(name, kMostNameBytes)}, vaddr, entry.st_size},
                              GELF_ST_BIND(entry.st_info),
                              in_code && is_full_table});
    }
    std::ranges::sort(candidates, {}, [](const Candidate& candidate) {
        return preference(candidate.symbol, candidate.binding);
    });
    std::ranges::sort(starts);
    for (const Candidate& candidate : candidates) {
        const Symbol& symbol = candidate.symbol;
        const uint64_t start = symbol.vaddr;
        if (symbol.size_bytes != 0) {
            code_symbols_.add(start, end_of(symbol), symbol);
        } else if (candidate.is_label) {
            const auto next = std::ranges::upper_bound(starts, start);
            uint64_t end = end_of_section(start);
            if (next != starts.end()) end = std::min(end, *next);
            code_labels_.add(start, end, symbol);
        }
    }
    code_symbols_.finish();
    code_labels_.finish();
    has_symbols_ = true;
}

const Symbol* ElfFile::code_symbol(uint64_t vaddr) {
    if (!has_symbols_) read_symbols();
    const Symbol* symbol = code_symbols_.find(vaddr);
    return symbol != nullptr ? symbol : code_labels_.find(vaddr);
}

ElfFile::DebugInfo ElfFile::debug_info() {
    Dwarf_Addr dwarf_bias = 0;
    Dwarf* dwarf = dwfl_module_getdwarf(module_, &dwarf_bias);
    if (dwarf == nullptr) return {};
    const char* main_file = nullptr;
    const char* debug_file = nullptr;
    dwfl_module_info(module_, nullptr, nullptr, nullptr, nullptr, nullptr, &main_file, &debug_file);
    const DebugInfo info{dwarf, bias_ - dwarf_bias, debug_file != nullptr ? debug_file : path_};
    find_shared(info);
    return info;
}

void ElfFile::find_shared(const DebugInfo& info) {
    if (shared_ != nullptr) return;
    shared_fd_ = search_->open_shared(info.dwarf, info.file);
    if (shared_fd_ < 0) return;
    shared_ = dwarf_begin(shared_fd_, DWARF_C_READ);
    if (shared_ != nullptr) dwarf_setalt(info.dwarf, shared_);
}

}  // namespace cowscope::symbolize
