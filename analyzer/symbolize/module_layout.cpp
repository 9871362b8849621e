#include "symbolize/module_layout.h"

#include "arch/processor.h"

namespace cowscope::symbolize {

using arch::kPageBytes;

std::optional<uint64_t> ModuleLayout::vaddr_of_offset(uint64_t file_offset) const {
    for (const Segment& segment : segments) {
        if (file_offset < segment.file_offset) continue;
        const uint64_t inside = file_offset - segment.file_offset;
        if (inside < segment.file_bytes) return segment.vaddr + inside;
    }
    // Whole pages are mapped: what surrounds a segment in its first and last page is in memory too,
    // behind the end mostly as the start of .bss.
    for (const Segment& segment : segments) {
        const uint64_t before = segment.file_offset % kPageBytes;
        const uint64_t first = segment.file_offset - before;
        if (file_offset < first || segment.file_bytes == 0) continue;
        const uint64_t inside = file_offset - first;
        const uint64_t mapped_bytes =
            (before + segment.file_bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
        if (inside < mapped_bytes) return segment.vaddr - before + inside;
    }
    return std::nullopt;
}

std::string ModuleLayout::section_at(uint64_t vaddr) const {
    for (const Section& section : sections) {
        if (vaddr >= section.vaddr && vaddr - section.vaddr < section.bytes) return section.name;
    }
    return {};
}

}  // namespace cowscope::symbolize
