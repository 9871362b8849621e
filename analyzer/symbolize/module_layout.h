// Where the parts of an ELF file lie in it and in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cowscope::symbolize {

struct ModuleLayout {
    // More than linkers make; the rest is left out.
    static constexpr size_t kMostSegments = 256;
    static constexpr size_t kMostSections = 1024;

    struct Segment {  // that is loaded
        uint64_t file_offset = 0;
        uint64_t file_bytes = 0;
        uint64_t vaddr = 0;
    };
    struct Section {  // that is in memory
        uint64_t vaddr = 0;
        uint64_t bytes = 0;
        std::string name;
    };

    std::vector<Segment> segments;
    std::vector<Section> sections;
    std::string build_id;  // lower-case hex; empty where the file has none

    // Empty where no loaded part of the file has this offset.
    [[nodiscard]] std::optional<uint64_t> vaddr_of_offset(uint64_t file_offset) const;
    // Name of the section in memory: ".got.plt", ".data", ".bss".
    [[nodiscard]] std::string section_at(uint64_t vaddr) const;
};

}  // namespace cowscope::symbolize
