#include "tests/fuzz/symbol_fuzzing.h"

#include <elf.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>

#include "symbolize/symbolizer.h"
#include "tests/fuzz/fuzzer.h"

namespace cowscope::fuzz {

namespace {

constexpr size_t kMostNameBytes = 10'000;

// What became of the files, for who runs this: none of it is a failure.
struct Outcomes {
    size_t inputs = 0;
    size_t crashed = 0;   // elfutils
    size_t too_long = 0;  // took more CPU time than it may, or waited
    ~Outcomes() {
        std::fprintf(stderr, "symbols: %zu inputs; elfutils crashed on %zu, took too long on %zu\n",
                     inputs, crashed, too_long);
    }
};
Outcomes outcomes;

template <typename Header>
bool read_header(const std::string& elf, uint64_t at, Header* header) {
    if (at > elf.size() || elf.size() - at < sizeof(Header)) return false;
    std::memcpy(header, elf.data() + at, sizeof(Header));
    return true;
}

}  // namespace

symbolize::HelperLimits small_limits() {
    symbolize::HelperLimits limits;
    limits.cpu_ms = 3000;
    limits.cpu_of_one_ms = 1000;
    limits.cpu_of_name_ms = 200;
    return limits;
}

void ask_everything(const std::string& path, const std::string& debug_folder) {
    symbolize::Symbolizer symbolizer(debug_folder, small_limits());
    for (uint64_t offset = 0; offset < 0x4000; offset += 0x65) {
        const symbolize::Location& location = symbolizer.resolve(path, offset);
        if (location.symbol.size() > kMostNameBytes) fail("a symbol too long");
        if (location.frames.size() > 200) fail("too many frames");
        for (const symbolize::Frame& frame : location.frames) {
            if (frame.function.size() > kMostNameBytes || frame.file.size() > kMostNameBytes) {
                fail("a name too long");
            }
        }
    }
    for (uint64_t vaddr = 0; vaddr < 0x5000; vaddr += 0x127) {
        symbolizer.section_at(path, vaddr);
    }
    if (symbolizer.build_id(path).size() > 128) fail("a build id too long");
    ++outcomes.inputs;
    for (const std::string& note : symbolizer.notes()) {
        outcomes.crashed += note.find("crashes the library") != std::string::npos ? 1 : 0;
        outcomes.too_long += note.find("takes over") != std::string::npos ||
                                     note.find("waits for") != std::string::npos
                                 ? 1
                                 : 0;
        // As a sanitizer ends it.
        if (note.find("ends with status") != std::string::npos) fail("our own code failed");
    }
}

void ask_about_module(const uint8_t* data, size_t size) {
    static const Folder folder;
    folder.clear();
    folder.write("module.so", {reinterpret_cast<const char*>(data), size});
    ask_everything(folder.path() + "/module.so", folder.path());
}

std::vector<Extent> sections_of(const std::string& elf, const char* name_part) {
    std::vector<Extent> found;
    Elf64_Ehdr header;
    if (!read_header(elf, 0, &header) || header.e_shentsize != sizeof(Elf64_Shdr)) return found;
    Elf64_Shdr names;
    if (!read_header(elf, header.e_shoff + header.e_shstrndx * sizeof names, &names)) return found;
    for (size_t i = 0; i < header.e_shnum; ++i) {
        Elf64_Shdr section;
        if (!read_header(elf, header.e_shoff + i * sizeof section, &section)) break;
        const uint64_t name_at = names.sh_offset + section.sh_name;
        if (name_at >= elf.size() || section.sh_offset > elf.size()) continue;
        const std::string name = elf.c_str() + name_at;
        if (name.find(name_part) == std::string::npos || section.sh_type == SHT_NOBITS) continue;
        found.push_back(
            {section.sh_offset, std::min<size_t>(section.sh_size, elf.size() - section.sh_offset)});
    }
    return found;
}

void mutate_within(std::string* elf, const Extent& extent, uint64_t seed) {
    if (extent.bytes == 0) return;
    std::mt19937_64 random(seed);
    for (size_t left = 1 + random() % 4; left != 0; --left) {
        const size_t at = extent.start + random() % extent.bytes;
        switch (random() % 4) {
            case 0:
                (*elf)[at] = static_cast<char>(random());
                break;
            case 1:
                (*elf)[at] = static_cast<char>((*elf)[at] + (random() % 2 == 0 ? 1 : -1));
                break;
            case 2:
                (*elf)[at] = random() % 2 == 0 ? '\xff' : '\x7f';
                break;
            default: {
                // A part of it once more.
                const size_t from = extent.start + random() % extent.bytes;
                const size_t end = extent.start + extent.bytes;
                const size_t bytes = std::min({size_t{1} + random() % 16, end - at, end - from});
                std::memmove(elf->data() + at, elf->data() + from, bytes);
                break;
            }
        }
    }
}

}  // namespace cowscope::fuzz
