#include "support/symbol_lookup.h"

#include <elf.h>
#include <link.h>

#include <cstring>

#include "support/poison.h"

namespace cowscope {
namespace {

// The table that every linker since 2006 writes: header, Bloom filter, buckets, chains.
struct GnuHash {
    uint32_t bucket_count;
    uint32_t first_symbol;
    uint32_t filter_words;
    uint32_t filter_shift;
};

struct Tables {
    const GnuHash* hash = nullptr;
    const ElfW(Sym) * symbols = nullptr;
    const char* names = nullptr;
};

uint32_t gnu_hash(const char* name) {
    uint32_t hash = 5381;
    for (; *name != '\0'; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
    return hash;
}

Tables tables_of(const dl_phdr_info& module) {
    Tables tables;
    for (int i = 0; i < module.dlpi_phnum; ++i) {
        if (module.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
        const auto* entry =
            reinterpret_cast<const ElfW(Dyn)*>(module.dlpi_addr + module.dlpi_phdr[i].p_vaddr);
        for (; entry->d_tag != DT_NULL; ++entry) {
            // glibc relocates these in place, save in modules it maps read-only (the vdso).
            uint64_t address = entry->d_un.d_ptr;
            if (address < module.dlpi_addr) address += module.dlpi_addr;
            if (entry->d_tag == DT_GNU_HASH) {
                tables.hash = reinterpret_cast<const GnuHash*>(address);
            } else if (entry->d_tag == DT_SYMTAB) {
                tables.symbols = reinterpret_cast<const ElfW(Sym)*>(address);
            } else if (entry->d_tag == DT_STRTAB) {
                tables.names = reinterpret_cast<const char*>(address);
            }
        }
    }
    return tables;
}

const ElfW(Sym) * find(const Tables& tables, const char* name) {
    const uint32_t hash = gnu_hash(name);
    const GnuHash& table = *tables.hash;
    const auto* filter = reinterpret_cast<const uint64_t*>(&table + 1);
    const auto* buckets = reinterpret_cast<const uint32_t*>(filter + table.filter_words);
    const uint32_t* chains = buckets + table.bucket_count;
    if (table.bucket_count == 0 || table.filter_words == 0) return nullptr;
    const uint64_t word = filter[hash / 64 % table.filter_words];
    if ((word >> (hash % 64) & word >> ((hash >> table.filter_shift) % 64) & 1) == 0) {
        return nullptr;
    }
    uint32_t index = buckets[hash % table.bucket_count];
    if (index < table.first_symbol) return nullptr;
    for (;; ++index) {
        const uint32_t chained = chains[index - table.first_symbol];
        const ElfW(Sym)& symbol = tables.symbols[index];
        // The lowest bit ends a chain.
        if ((chained | 1) == (hash | 1) && symbol.st_shndx != SHN_UNDEF &&
            std::strcmp(tables.names + symbol.st_name, name) == 0) {
            return &symbol;
        }
        if ((chained & 1) != 0) return nullptr;
    }
}

struct Search {
    Symbol* symbols;
    size_t count;
};

int search_module(dl_phdr_info* module, size_t, void* argument) {
    const Search& search = *static_cast<const Search*>(argument);
    const Tables tables = tables_of(*module);
    if (tables.hash == nullptr || tables.symbols == nullptr || tables.names == nullptr) return 0;
    for (size_t i = 0; i < search.count; ++i) {
        Symbol& wanted = search.symbols[i];
        if (wanted.address != 0) continue;
        const ElfW(Sym)* found = find(tables, wanted.name);
        if (found == nullptr) continue;
        const unsigned type = ELF64_ST_TYPE(found->st_info);
        if (type != STT_OBJECT && type != STT_FUNC && type != STT_NOTYPE) continue;
        wanted.address = module->dlpi_addr + found->st_value;
        wanted.bytes = found->st_size;
    }
    return 0;
}

int read_count(dl_phdr_info* module, size_t, void* argument) {
    *static_cast<uint64_t*>(argument) = module->dlpi_adds;
    return 1;
}

}  // namespace

uint64_t modules_ever_loaded() {
    uint64_t count = 0;
    dl_iterate_phdr(read_count, &count);
    return count;
}

void find_symbols_of(const void* elf_header, Symbol* symbols, size_t count) {
    const auto& header = *static_cast<const ElfW(Ehdr)*>(elf_header);
    dl_phdr_info module = {};
    module.dlpi_addr = reinterpret_cast<uint64_t>(elf_header);
    module.dlpi_phdr = reinterpret_cast<const ElfW(Phdr)*>(module.dlpi_addr + header.e_phoff);
    module.dlpi_phnum = header.e_phnum;
    Search search = {symbols, count};
    search_module(&module, sizeof(module), &search);
}

void find_symbols(Symbol* symbols, size_t count) {
    Search search = {symbols, count};
    dl_iterate_phdr(search_module, &search);
}

}  // namespace cowscope
