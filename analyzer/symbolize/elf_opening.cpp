#include "symbolize/elf_opening.h"

#include <fcntl.h>
#include <gelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include <fmt/format.h>

#include "symbolize/memory_allowance.h"

namespace cowscope::symbolize {

namespace {

// zlib reaches 1,032; debug information that compilers write is far from it. Small sections may be
// all zeros.
constexpr uint64_t kMostRatio = 100;
constexpr uint64_t kSmallBytes = uint64_t{1} << 20;

uint64_t inflated_bytes = 0;  // of all files so far

struct CloseElf {
    void operator()(Elf* elf) const { elf_end(elf); }
};

// Takes what a section claims from what is left. "" or the problem.
std::string take_inflated(uint64_t claimed, uint64_t compressed, uint64_t* left) {
    if (claimed > kSmallBytes && claimed / kMostRatio > compressed) {
        return fmt::format("a section of {} bytes claims to be {} bytes, compressed", compressed,
                           claimed);
    }
    if (claimed > *left) {
        return fmt::format("its compressed sections claim more than the {} bytes that are allowed",
                           kMostInflatedBytes);
    }
    *left -= claimed;
    return {};
}

// Sections that say themselves that they are compressed (SHF_COMPRESSED).
std::string take_compressed(Elf* elf, uint64_t* left) {
    Elf_Scn* section = nullptr;
    while ((section = elf_nextscn(elf, section)) != nullptr) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr) continue;
        if ((header.sh_flags & SHF_COMPRESSED) == 0) continue;
        // libelf takes tables of names apart as soon as it is asked for a name.
        if (header.sh_type == SHT_STRTAB || header.sh_type == SHT_SYMTAB ||
            header.sh_type == SHT_DYNSYM || (header.sh_flags & SHF_ALLOC) != 0) {
            return "a table that no linker compresses is compressed";
        }
        GElf_Chdr compressed;
        if (gelf_getchdr(section, &compressed) == nullptr) continue;  // nor can libdw read it
        std::string problem = take_inflated(compressed.ch_size, header.sh_size, left);
        if (!problem.empty()) return problem;
    }
    return {};
}

// The older form, which is told by its name: "ZLIB", eight bytes of size, most significant first.
std::string take_old_compressed(Elf* elf, uint64_t* left) {
    constexpr std::string_view kMagic = "ZLIB";
    constexpr size_t kHeaderBytes = 12;
    size_t names = 0;
    if (elf_getshdrstrndx(elf, &names) != 0) return {};
    Elf_Scn* section = nullptr;
    while ((section = elf_nextscn(elf, section)) != nullptr) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) continue;
        const char* name = elf_strptr(elf, names, header.sh_name);
        if (name == nullptr || std::strncmp(name, ".zdebug", 7) != 0) continue;
        const Elf_Data* data = elf_rawdata(section, nullptr);
        if (data == nullptr || data->d_buf == nullptr || data->d_size < kHeaderBytes ||
            std::memcmp(data->d_buf, kMagic.data(), kMagic.size()) != 0) {
            continue;
        }
        const auto* bytes = static_cast<const unsigned char*>(data->d_buf);
        uint64_t claimed = 0;
        for (size_t i = kMagic.size(); i < kHeaderBytes; ++i) claimed = claimed << 8 | bytes[i];
        std::string problem = take_inflated(claimed, data->d_size, left);
        if (!problem.empty()) return problem;
    }
    return {};
}

// libelf looks backwards from a table's end for the NUL that ends its last name, and once more for
// each name: a table without one costs its length each time.
std::string find_endless_names(Elf* elf) {
    Elf_Scn* section = nullptr;
    while ((section = elf_nextscn(elf, section)) != nullptr) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_STRTAB) continue;
        const Elf_Data* data = elf_rawdata(section, nullptr);
        if (data == nullptr || data->d_buf == nullptr || data->d_size == 0) continue;
        if (static_cast<const char*>(data->d_buf)[data->d_size - 1] != '\0') {
            return "a table of names has no end";
        }
    }
    return {};
}

std::string find_problem(int fd) {
    elf_version(EV_CURRENT);
    const std::unique_ptr<Elf, CloseElf> elf(elf_begin(fd, ELF_C_READ_MMAP, nullptr));
    if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF) return "libelf cannot read it";
    uint64_t left = kMostInflatedBytes - inflated_bytes;
    std::string problem = take_compressed(elf.get(), &left);
    if (problem.empty()) problem = find_endless_names(elf.get());
    if (problem.empty()) problem = take_old_compressed(elf.get(), &left);
    if (problem.empty()) inflated_bytes = kMostInflatedBytes - left;
    return problem;
}

}  // namespace

OpenedElf open_elf(const std::string& path) {
    struct stat status = {};
    if (stat(path.c_str(), &status) != 0) return {};
    if (!S_ISREG(status.st_mode)) return {-1, 0, "not a regular file"};
    // It may be another file by now: a FIFO must not make us wait.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return {};
    OpenedElf opened{fd, 0, ""};
    unsigned char ident[EI_NIDENT] = {};
    bool is_elf = false;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        opened.problem = "not a regular file";
    } else {
        opened.bytes = static_cast<uint64_t>(status.st_size);
        is_elf = pread(fd, ident, sizeof ident, 0) == ssize_t{sizeof ident} &&
                 std::memcmp(ident, ELFMAG, SELFMAG) == 0;
    }
    if (is_elf && opened.bytes > kMostFileBytes) {
        opened.problem = fmt::format("{} bytes are more than the {} that are read", opened.bytes,
                                     kMostFileBytes);
    } else if (is_elf) {
        allow_mapping(opened.bytes);
        opened.problem = find_problem(fd);
    }
    if (is_elf && opened.problem.empty()) return opened;
    close(fd);
    opened.fd = -1;
    return opened;
}

std::string capped_text(const char* text, size_t most_bytes) {
    if (text == nullptr) return {};
    const size_t length = strnlen(text, most_bytes + 1);
    if (length <= most_bytes) return {text, length};
    return std::string(text, most_bytes) + "…";
}

}  // namespace cowscope::symbolize
