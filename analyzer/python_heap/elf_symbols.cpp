#include "python_heap/elf_symbols.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace cowscope::python_heap {

namespace {

struct EndElf {
    void operator()(Elf* elf) const { elf_end(elf); }
};

class File {
  public:
    explicit File(const std::string& path)
        : number_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
        struct stat status {};
        if (number_ >= 0 && (fstat(number_, &status) != 0 || !S_ISREG(status.st_mode))) {
            close(number_);
            number_ = -1;
        }
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (number_ >= 0) close(number_);
    }
    int number() const { return number_; }

  private:
    int number_;
};

void read_table(Elf* elf, Elf_Scn* section, const GElf_Shdr& header,
                const std::vector<std::string>& names, ElfSymbols* symbols) {
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0) return;
    const size_t count = std::min<size_t>(header.sh_size / header.sh_entsize, size_t{1} << 22);
    for (size_t i = 0; i < count; ++i) {
        GElf_Sym symbol;
        if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
        if (symbol.st_shndx == SHN_UNDEF || symbol.st_value == 0) continue;
        const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
        if (name == nullptr) continue;
        if (std::find(names.begin(), names.end(), name) != names.end()) {
            symbols->vaddrs.emplace(name, symbol.st_value);
        }
    }
}

}  // namespace

std::optional<ElfSymbols> find_symbols(const std::string& path,
                                       const std::vector<std::string>& names) {
    const File file(path);
    if (file.number() < 0 || elf_version(EV_CURRENT) == EV_NONE) return std::nullopt;
    const std::unique_ptr<Elf, EndElf> elf(elf_begin(file.number(), ELF_C_READ_MMAP, nullptr));
    size_t headers = 0;
    if (!elf || elf_kind(elf.get()) != ELF_K_ELF || elf_getphdrnum(elf.get(), &headers) != 0) {
        return std::nullopt;
    }
    ElfSymbols symbols;
    for (size_t i = 0; i < headers; ++i) {
        GElf_Phdr header;
        if (gelf_getphdr(elf.get(), static_cast<int>(i), &header) == nullptr) return std::nullopt;
        if (header.p_type != PT_LOAD) continue;
        if (header.p_offset == 0) symbols.first_vaddr = header.p_vaddr;
        symbols.end_vaddr = std::max(symbols.end_vaddr, header.p_vaddr + header.p_memsz);
    }
    for (const GElf_Word wanted : {GElf_Word{SHT_DYNSYM}, GElf_Word{SHT_SYMTAB}}) {
        for (Elf_Scn* section = elf_nextscn(elf.get(), nullptr); section != nullptr;
             section = elf_nextscn(elf.get(), section)) {
            GElf_Shdr header;
            if (gelf_getshdr(section, &header) == nullptr || header.sh_type != wanted) continue;
            read_table(elf.get(), section, header, names, &symbols);
        }
        if (!symbols.vaddrs.empty()) break;
    }
    return symbols;
}

}  // namespace cowscope::python_heap
