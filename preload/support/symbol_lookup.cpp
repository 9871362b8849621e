#include "support/symbol_lookup.h"

#include <elf.h>

#include <cstring>

#include "support/guarded_read.h"

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

uint32_t gnu_hash(const char* name) {
    uint32_t hash = 5381;
    for (; *name != '\0'; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
    return hash;
}

// A module's program headers, copied.
class Segments {
  public:
    explicit Segments(const dl_phdr_info& module) : base_(module.dlpi_addr) {
        // The largest have some fifteen.
        const size_t count = module.dlpi_phnum < kMost ? module.dlpi_phnum : kMost;
        const size_t bytes = count * sizeof(ElfW(Phdr));
        const auto from = reinterpret_cast<uint64_t>(module.dlpi_phdr);
        count_ = read_what_is_there(from, headers_, bytes) / sizeof(ElfW(Phdr));
        for (size_t i = 0; i < count_; ++i) {
            // None ends before it starts.
            const uint64_t start = base_ + headers_[i].p_vaddr;
            if (start + headers_[i].p_memsz < start) headers_[i].p_type = PT_NULL;
        }
    }
    // Bytes from `address` to the end of the readable segment that holds it; 0 where there is none.
    uint64_t bytes_from(uint64_t address) const {
        for (size_t i = 0; i < count_; ++i) {
            const ElfW(Phdr)& each = headers_[i];
            if (each.p_type != PT_LOAD || (each.p_flags & PF_R) == 0) continue;
            const uint64_t into = address - (base_ + each.p_vaddr);
            if (into < each.p_memsz) return each.p_memsz - into;
        }
        return 0;
    }
    bool holds(uint64_t address) const {
        for (size_t i = 0; i < count_; ++i) {
            const ElfW(Phdr)& each = headers_[i];
            if (each.p_type == PT_LOAD && address - (base_ + each.p_vaddr) < each.p_memsz) {
                return true;
            }
        }
        return false;
    }
    // From the first to the last.
    void get_range(uint64_t* start, uint64_t* end) const {
        *start = ~uint64_t{0};
        *end = 0;
        for (size_t i = 0; i < count_; ++i) {
            const ElfW(Phdr)& each = headers_[i];
            if (each.p_type != PT_LOAD) continue;
            if (base_ + each.p_vaddr < *start) *start = base_ + each.p_vaddr;
            if (base_ + each.p_vaddr + each.p_memsz > *end) {
                *end = base_ + each.p_vaddr + each.p_memsz;
            }
        }
    }
    // The dynamic section; 0 where there is none.
    uint64_t dynamic() const {
        for (size_t i = 0; i < count_; ++i) {
            if (headers_[i].p_type == PT_DYNAMIC) return base_ + headers_[i].p_vaddr;
        }
        return 0;
    }
    uint64_t base() const { return base_; }

    // The `index`th of the T from `start` on, within one segment.
    template <typename T>
    bool read(uint64_t start, uint64_t index, T* value) const {
        if (index >= bytes_from(start) / sizeof(T)) return false;
        return read_what_is_there(start + index * sizeof(T), value, sizeof(T)) == sizeof(T);
    }

  private:
    static constexpr size_t kMost = 64;

    uint64_t base_;
    size_t count_ = 0;
    ElfW(Phdr) headers_[kMost];
};

// The tables of one module. An address of 0: there is none.
class Exports {
  public:
    explicit Exports(const Segments& segments) : segments_(segments) { read_dynamic(); }

    bool find(const char* name, ElfW(Sym) * found) const {
        if (!has_hash_ || symbols_ == 0 || names_ == 0) return false;
        const uint32_t hash = gnu_hash(name);
        if (!may_have(hash)) return false;
        uint32_t index = 0;
        if (!segments_.read(buckets_, hash % hash_.bucket_count, &index) ||
            index < hash_.first_symbol) {
            return false;
        }
        // Chains have a handful.
        constexpr uint32_t kMostChained = 1024;
        for (uint32_t i = 0; i < kMostChained; ++i, ++index) {
            uint32_t chained = 0;
            if (!segments_.read(chains_, index - hash_.first_symbol, &chained)) return false;
            // The lowest bit ends a chain.
            if ((chained | 1) == (hash | 1) && is_definition(index, name, found)) return true;
            if ((chained & 1) != 0) return false;
        }
        return false;
    }

  private:
    void read_dynamic() {
        const uint64_t start = segments_.dynamic();
        uint64_t hash = 0;
        // Some thirty are usual.
        constexpr uint64_t kMostEntries = 128;
        ElfW(Dyn) entries[kMostEntries];
        uint64_t bytes = start == 0 ? 0 : segments_.bytes_from(start);
        if (bytes > sizeof(entries)) bytes = sizeof(entries);
        const uint64_t count = read_what_is_there(start, entries, bytes) / sizeof(entries[0]);
        for (uint64_t i = 0; i < count && entries[i].d_tag != DT_NULL; ++i) {
            const ElfW(Dyn)& entry = entries[i];
            // glibc relocates these in place, save in modules it maps read-only (the vdso).
            uint64_t address = entry.d_un.d_ptr;
            if (address < segments_.base()) address += segments_.base();
            if (entry.d_tag == DT_GNU_HASH) hash = address;
            if (entry.d_tag == DT_SYMTAB) symbols_ = address;
            if (entry.d_tag == DT_STRTAB) names_ = address;
        }
        if (hash == 0 || !segments_.read(hash, 0, &hash_)) return;
        filter_ = hash + sizeof(GnuHash);
        // None of these wraps: the counts have 32 bits.
        buckets_ = filter_ + uint64_t{hash_.filter_words} * sizeof(uint64_t);
        chains_ = buckets_ + uint64_t{hash_.bucket_count} * sizeof(uint32_t);
        has_hash_ = hash_.bucket_count != 0 && hash_.filter_words != 0;
    }
    bool may_have(uint32_t hash) const {
        uint64_t word = 0;
        if (!segments_.read(filter_, hash / 64 % hash_.filter_words, &word)) return false;
        // A shift by more than a hash has bits says nothing.
        const uint32_t second = hash_.filter_shift < 32 ? hash >> hash_.filter_shift : 0;
        return (word >> (hash % 64) & word >> (second % 64) & 1) != 0;
    }
    bool is_definition(uint32_t index, const char* name, ElfW(Sym) * found) const {
        if (!segments_.read(symbols_, index, found) || found->st_shndx == SHN_UNDEF) return false;
        char text[kMostNameBytes];
        const size_t bytes = std::strlen(name) + 1;
        const uint64_t at = names_ + found->st_name;
        return bytes <= sizeof(text) && segments_.bytes_from(at) >= bytes &&
               read_what_is_there(at, text, bytes) == bytes && std::memcmp(text, name, bytes) == 0;
    }

    // Of the names that are asked for.
    static constexpr size_t kMostNameBytes = 64;

    const Segments& segments_;
    bool has_hash_ = false;
    GnuHash hash_ = {};
    uint64_t filter_ = 0;
    uint64_t buckets_ = 0;
    uint64_t chains_ = 0;
    uint64_t symbols_ = 0;
    uint64_t names_ = 0;
};

struct Search {
    Symbol* symbols;
    size_t count;
    IsWanted* is_wanted;
};

int search_module(dl_phdr_info* module, size_t, void* argument) {
    const Search& search = *static_cast<const Search*>(argument);
    if (search.is_wanted(module->dlpi_name)) {
        find_symbols_in(*module, search.symbols, search.count);
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

void find_symbols_in(const dl_phdr_info& module, Symbol* symbols, size_t count) {
    const Segments segments(module);
    const Exports exports(segments);
    for (size_t i = 0; i < count; ++i) {
        Symbol& wanted = symbols[i];
        ElfW(Sym) found;
        if (wanted.address != 0 || !exports.find(wanted.name, &found)) continue;
        const unsigned type = ELF64_ST_TYPE(found.st_info);
        if (type != STT_OBJECT && type != STT_FUNC && type != STT_NOTYPE) continue;
        const uint64_t address = segments.base() + found.st_value;
        if (!segments.holds(address)) continue;
        wanted.address = address;
        segments.get_range(&wanted.module_start, &wanted.module_end);
        wanted.bytes = found.st_size;
    }
}

void find_symbols_of(const void* elf_header, Symbol* symbols, size_t count) {
    ElfW(Ehdr) header;
    if (!guarded_read(elf_header, &header, sizeof(header))) return;
    dl_phdr_info module = {};
    module.dlpi_addr = reinterpret_cast<uint64_t>(elf_header);
    module.dlpi_phdr = reinterpret_cast<const ElfW(Phdr)*>(module.dlpi_addr + header.e_phoff);
    module.dlpi_phnum = header.e_phnum;
    find_symbols_in(module, symbols, count);
}

void find_symbols(Symbol* symbols, size_t count, IsWanted* is_wanted) {
    Search search = {symbols, count, is_wanted};
    dl_iterate_phdr(search_module, &search);
}

}  // namespace cowscope
