// The headers and tables of an ELF file that may be anything, for processes that must not end with
// it: what is checked here is that all of it lies in the file. symbolize/ reads modules with
// libelf, in a process of its own.
//
// The file is read into memory, never mapped (who truncates a mapped file ends its reader), in
// parts of a bounded size.
#pragma once

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace cowscope {

class ElfReader {
  public:
    // `file` is open while this lives. `must_stop` is asked before each part: true ends the file.
    explicit ElfReader(int file, std::function<bool()> must_stop = {})
        : file_(file), must_stop_(std::move(must_stop)) {}

    bool must_stop() const { return must_stop_ && must_stop_(); }

    // `count` objects from `offset` on. Fewer where the file ends, or gets shorter meanwhile.
    template <typename Object>
    std::vector<Object> read(uint64_t offset, size_t count) const {
        std::vector<Object> objects(count);
        auto* to = reinterpret_cast<char*>(objects.data());
        const size_t bytes = count * sizeof(Object);
        size_t done = 0;
        constexpr uint64_t kMostOffset = uint64_t{1} << 62;
        while (done < bytes && offset <= kMostOffset && !must_stop()) {
            constexpr size_t kPart = size_t{1} << 20;
            const ssize_t got = pread(file_, to + done, std::min(bytes - done, kPart),
                                      static_cast<off_t>(offset + done));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) break;
            done += static_cast<size_t>(got);
        }
        objects.erase(objects.begin() + static_cast<ptrdiff_t>(done / sizeof(Object)),
                      objects.end());
        return objects;
    }

    // EI_CLASS of the file (ELFCLASS32, ELFCLASS64); empty for what is no ELF file.
    std::optional<unsigned char> file_class() const {
        const auto identity = read<unsigned char>(0, EI_NIDENT);
        const bool is_elf =
            identity.size() == EI_NIDENT && std::memcmp(identity.data(), ELFMAG, SELFMAG) == 0;
        return is_elf ? std::optional(identity[EI_CLASS]) : std::nullopt;
    }

    // Empty for what is no 64-bit ELF file.
    std::optional<Elf64_Ehdr> header() const {
        if (file_class() != ELFCLASS64) return std::nullopt;
        const auto headers = read<Elf64_Ehdr>(0, 1);
        return headers.empty() ? std::nullopt : std::optional(headers.front());
    }

    // None where they are of a size that is not known. The first kMostHeaders of them.
    std::vector<Elf64_Phdr> segments(const Elf64_Ehdr& header) const {
        if (header.e_phentsize != sizeof(Elf64_Phdr)) return {};
        return read<Elf64_Phdr>(header.e_phoff, std::min<size_t>(header.e_phnum, kMostHeaders));
    }
    std::vector<Elf64_Shdr> sections(const Elf64_Ehdr& header) const {
        if (header.e_shentsize != sizeof(Elf64_Shdr)) return {};
        return read<Elf64_Shdr>(header.e_shoff, std::min<size_t>(header.e_shnum, kMostHeaders));
    }

  private:
    // Interpreters have 13 segments and 40 sections.
    static constexpr size_t kMostHeaders = 1024;

    int file_;
    std::function<bool()> must_stop_;
};

}  // namespace cowscope
