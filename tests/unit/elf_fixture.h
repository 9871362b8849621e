// ELF files that no linker makes.
#pragma once

#include <elf.h>
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace cowscope::test {

inline void write_file(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string read_file(const std::string& path) {
    std::ostringstream bytes;
    bytes << std::ifstream(path, std::ios::binary).rdbuf();
    return bytes.str();
}

// A shared library with so many symbols, all of them functions of two bytes at 0x1000, and all of
// one name. `end`: what stands behind the name.
inline std::string elf_with_symbols(size_t count, const std::string& name,
                                    std::string_view end = std::string_view("\0", 1)) {
    const std::string_view sections("\0.dynsym\0.dynstr\0.shstrtab\0", 27);
    std::string bytes(sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr), '\0');
    const auto append = [&bytes](const void* start, size_t size) {
        bytes.resize((bytes.size() + 7) / 8 * 8);
        const size_t at = bytes.size();
        bytes.append(static_cast<const char*>(start), size);
        return at;
    };
    std::string names(1, '\0');
    names += name;
    names += end;
    const size_t names_at = append(names.data(), names.size());
    Elf64_Sym symbol{};
    const size_t symbols_at = append(&symbol, sizeof symbol);
    symbol.st_name = 1;
    symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    symbol.st_shndx = 1;
    symbol.st_value = 0x1000;
    symbol.st_size = 2;
    for (size_t i = 0; i < count; ++i) append(&symbol, sizeof symbol);
    const size_t section_names_at = append(sections.data(), sections.size());
    if (bytes.size() < 0x2000) bytes.resize(0x2000);
    const size_t loaded_bytes = bytes.size();

    Elf64_Shdr headers[4] = {};
    headers[1].sh_name = 1;
    headers[1].sh_type = SHT_DYNSYM;
    headers[1].sh_flags = SHF_ALLOC;
    headers[1].sh_offset = symbols_at;
    headers[1].sh_size = (count + 1) * sizeof symbol;
    headers[1].sh_link = 2;
    headers[1].sh_info = 1;
    headers[1].sh_entsize = sizeof symbol;
    headers[2].sh_name = 9;
    headers[2].sh_type = SHT_STRTAB;
    headers[2].sh_offset = names_at;
    headers[2].sh_size = names.size();
    headers[3].sh_name = 17;
    headers[3].sh_type = SHT_STRTAB;
    headers[3].sh_offset = section_names_at;
    headers[3].sh_size = sections.size();
    const size_t headers_at = append(headers, sizeof headers);

    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof header;
    header.e_shoff = headers_at;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 4;
    header.e_shstrndx = 3;
    Elf64_Phdr segment{};
    segment.p_type = PT_LOAD;
    segment.p_flags = PF_R | PF_X;
    segment.p_filesz = segment.p_memsz = loaded_bytes;
    segment.p_align = 4096;
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, &segment, sizeof segment);
    return bytes;
}

// Calls change(header) for the section of that name in an ELF file's bytes.
template <typename Change>
void change_section(std::string* bytes, std::string_view name, const Change& change) {
    Elf64_Ehdr header;
    std::memcpy(&header, bytes->data(), sizeof header);
    const auto section_at = [&](size_t index) {
        Elf64_Shdr section;
        std::memcpy(&section, bytes->data() + header.e_shoff + index * sizeof section,
                    sizeof section);
        return section;
    };
    const Elf64_Shdr names = section_at(header.e_shstrndx);
    for (size_t i = 0; i < header.e_shnum; ++i) {
        Elf64_Shdr section = section_at(i);
        if (bytes->data() + names.sh_offset + section.sh_name != name) continue;
        change(&section);
        std::memcpy(bytes->data() + header.e_shoff + i * sizeof section, &section, sizeof section);
        return;
    }
    throw std::runtime_error("no such section");
}

// So many zeros, by zlib.
inline std::string compressed_zeros(size_t bytes) {
    z_stream stream{};
    if (deflateInit(&stream, 1) != Z_OK) throw std::bad_alloc();
    std::string result(deflateBound(&stream, bytes), '\0');
    std::string zeros(1 << 20, '\0');
    stream.next_out = reinterpret_cast<Bytef*>(result.data());
    stream.avail_out = static_cast<uInt>(result.size());
    while (bytes != 0) {
        const size_t step = std::min(bytes, zeros.size());
        stream.next_in = reinterpret_cast<Bytef*>(zeros.data());
        stream.avail_in = static_cast<uInt>(step);
        bytes -= step;
        deflate(&stream, bytes == 0 ? Z_FINISH : Z_NO_FLUSH);
    }
    result.resize(stream.total_out);
    deflateEnd(&stream);
    return result;
}

}  // namespace cowscope::test
