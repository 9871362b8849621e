#include "tracker/soft_dirty.h"

#include <errno.h>

#include "arch/cpu.h"
#include "support/descriptor.h"
#include "tracker/own_pagemap.h"

#include "support/poison.h"

namespace cowscope::tracker {
namespace {

// An entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
constexpr uint64_t kEntrySoftDirty = uint64_t{1} << 55;
constexpr uint64_t kEntryFileOrShared = uint64_t{1} << 61;
constexpr uint64_t kEntrySwapped = uint64_t{1} << 62;
constexpr uint64_t kEntryPresent = uint64_t{1} << 63;

int clear_bits(const Descriptor& clear_refs) {
    const long written = sys::write(clear_refs.number(), "4", 1);
    return written == 1 ? 0 : sys::failed(written) ? static_cast<int>(written) : -EIO;
}

}  // namespace

int SoftDirty::open() {
    const int pagemap = open_own_pagemap();
    if (pagemap < 0) return pagemap;
    if (!pagemap_.keep(pagemap)) return -EBADF;
    const int clear_refs = sys::open("/proc/thread-self/clear_refs", O_WRONLY);
    if (clear_refs < 0 || !clear_refs_.keep(clear_refs)) {
        close();
        return clear_refs < 0 ? clear_refs : -EBADF;
    }
    if (works_) return 0;

    // Two pages are touched, the bits cleared, one written again: only that one may have the bit.
    constexpr size_t kProbePages = 2;
    void* probe = sys::mmap(sys::OwnPlace::probe, kProbePages * cpu::kPageBytes,
                            PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    if (sys::failed(probe)) {
        close();
        return -ENOMEM;
    }
    auto* bytes = static_cast<volatile unsigned char*>(probe);
    bytes[0] = 1;
    bytes[cpu::kPageBytes] = 1;
    int result = clear_bits(clear_refs_);
    bytes[0] = 2;
    const auto start = reinterpret_cast<uint64_t>(probe);
    uint64_t entries[kProbePages] = {0, 0};
    if (result == 0) result = read_entries(start, entries, kProbePages);
    if (result == 0 &&
        ((entries[0] & kEntrySoftDirty) == 0 || (entries[1] & kEntrySoftDirty) != 0)) {
        result = -EOPNOTSUPP;
    }
    if (result == 0) {
        kernel::PageRegion region = {};
        kernel::PagemapScanArgument scan = {};
        scan.size = sizeof(scan);
        scan.start = start;
        scan.end = start + kProbePages * cpu::kPageBytes;
        scan.vec = reinterpret_cast<uint64_t>(&region);
        scan.vec_len = 1;
        scan.category_mask = scan.return_mask = kernel::kPageIsSoftDirty;
        const int found = sys::ioctl(pagemap_.number(), kernel::kPagemapScan, &scan);
        scans_soft_dirty_ =
            found == 1 && region.start == start && region.end == start + cpu::kPageBytes;
    }
    sys::munmap(probe, kProbePages * cpu::kPageBytes);
    works_ = result == 0;
    if (result != 0) close();
    return result;
}

void SoftDirty::close() {
    pagemap_.close();
    clear_refs_.close();
    new_mappings_ = {};
}

int SoftDirty::protect(kernel::PageRegion* buffer, const Mappings& mappings, const OwnMemory& own) {
    if (scans_soft_dirty_) split_huge_pages(buffer, mappings, own);
    return clear_bits(clear_refs_);
}

// A mapping that ends within a huge page cannot have it: advice to the first of its pages makes it
// such a mapping, and no advice makes it whole again. This advice means nothing for memory that is
// not a file's. Where it fails (too many mappings), the report may have some pages too many.
void SoftDirty::split_huge_pages(kernel::PageRegion* buffer, const Mappings& mappings,
                                 const OwnMemory& own) {
    ScanQuery query;
    query.required = query.reported = kernel::kPageIsHuge;
    query.forbidden = kernel::kPageIsFile | kernel::kPageIsPfnZero;
    for (const Mapping& mapping : mappings.all()) {
        if (!can_watch(mapping) || own.overlaps(mapping.start, mapping.end)) continue;
        if (mapping.end - mapping.start < cpu::kHugePageBytes) continue;
        scan_pages(pagemap_.number(), query, mapping.start, mapping.end, buffer,
                   [](const kernel::PageRegion& region) {
                       for (uint64_t at = region.start; at < region.end;
                            at += cpu::kHugePageBytes) {
                           void* page = reinterpret_cast<void*>(at);
                           sys::madvise(page, cpu::kPageBytes, MADV_RANDOM);
                           sys::madvise(page, cpu::kPageBytes, MADV_NORMAL);
                       }
                   });
    }
}

int SoftDirty::read_entries(uint64_t start, uint64_t* entries, size_t count) {
    const size_t wanted = count * sizeof(uint64_t);
    const auto offset = static_cast<long>(start / cpu::kPageBytes * sizeof(uint64_t));
    const long got = sys::syscall4(SYS_pread64, pagemap_.number(), sys::word(entries),
                                   static_cast<long>(wanted), offset);
    if (sys::failed(got)) return static_cast<int>(got);
    return static_cast<size_t>(got) == wanted ? 0 : -EIO;
}

template <typename Sink>
int SoftDirty::walk(kernel::PageRegion* buffer, uint64_t start, uint64_t end, bool is_file,
                    Sink&& sink) {
    if (scans_soft_dirty_) {
        ScanQuery query = present_pages();
        if (is_file) query.forbidden |= kernel::kPageIsFile;
        query.reported = kernel::kPageIsSoftDirty;
        return scan_pages(
            pagemap_.number(), query, start, end, buffer, [&](const kernel::PageRegion& region) {
                sink(region.start, region.end, (region.categories & kernel::kPageIsSoftDirty) != 0);
            });
    }
    auto* entries = reinterpret_cast<uint64_t*>(buffer);
    constexpr size_t kEntries = kScanBufferRegions * sizeof(kernel::PageRegion) / sizeof(uint64_t);
    for (uint64_t at = start; at < end;) {
        const uint64_t pages = (end - at) / cpu::kPageBytes;
        const size_t count = pages < kEntries ? static_cast<size_t>(pages) : kEntries;
        const int result = read_entries(at, entries, count);
        if (result != 0) return result;
        for (size_t i = 0; i < count; ++i) {
            const uint64_t entry = entries[i];
            if ((entry & (kEntryPresent | kEntrySwapped)) == 0) continue;
            if (is_file && (entry & kEntryFileOrShared) != 0) continue;
            const uint64_t page = at + i * cpu::kPageBytes;
            sink(page, page + cpu::kPageBytes, (entry & kEntrySoftDirty) != 0);
        }
        at += count * cpu::kPageBytes;
    }
    return 0;
}

int SoftDirty::list_present(Arena& arena, kernel::PageRegion* buffer, const Mappings& mappings,
                            const OwnMemory& own, const AddressRange& used, PageRuns* inherited) {
    bool complete = true;
    for (const Mapping& mapping : mappings.all()) {
        if (!can_watch(mapping) || own.overlaps(mapping.start, mapping.end)) continue;
        const int result =
            walk(buffer, mapping.start, mapping.end, false, [&](uint64_t from, uint64_t to, bool) {
                // A region of the scan may reach over the stack in use.
                if (from < used.start) {
                    const uint64_t until = to < used.start ? to : used.start;
                    complete = inherited->append(arena, from, until) && complete;
                }
                if (to > used.end) {
                    const uint64_t since = from > used.end ? from : used.end;
                    complete = inherited->append(arena, since, to) && complete;
                }
            });
        if (result != 0) return result;
    }
    return complete ? 0 : -ENOMEM;
}

bool SoftDirty::has_clean_page(kernel::PageRegion* buffer, const Mapping& mapping) {
    if (scans_soft_dirty_) {
        kernel::PagemapScanArgument scan = {};
        scan.size = sizeof(scan);
        scan.start = mapping.start;
        scan.end = mapping.end;
        scan.vec = reinterpret_cast<uint64_t>(buffer);
        scan.vec_len = 1;
        scan.max_pages = 1;
        scan.category_inverted = kernel::kPageIsPfnZero | kernel::kPageIsSoftDirty;
        if (mapping.is_file) scan.category_inverted |= kernel::kPageIsFile;
        scan.category_mask = scan.category_inverted;
        scan.category_anyof_mask = kernel::kPageIsPresent | kernel::kPageIsSwapped;
        scan.return_mask = kernel::kPageIsPresent;
        return sys::ioctl(pagemap_.number(), kernel::kPagemapScan, &scan) > 0;
    }
    bool found = false;
    constexpr uint64_t kStepBytes = 512 * cpu::kPageBytes;
    for (uint64_t at = mapping.start; at < mapping.end && !found; at += kStepBytes) {
        const uint64_t end = mapping.end - at < kStepBytes ? mapping.end : at + kStepBytes;
        const int result = walk(buffer, at, end, mapping.is_file,
                                [&](uint64_t, uint64_t, bool written) { found |= !written; });
        if (result != 0) return false;
    }
    return found;
}

int SoftDirty::scan_mapping(kernel::PageRegion* buffer, const Mapping& mapping, bool is_protected,
                            CensusTaker* taker) {
    // The kernel is asked only where it matters, because the answer takes as long as clearing.
    constexpr uint64_t kWorthAskingBytes = 32 * cpu::kPageBytes;
    const bool is_doubtful = is_protected && mapping.end - mapping.start >= kWorthAskingBytes &&
                             taker->knows_inherited(mapping.start, mapping.end) &&
                             !has_clean_page(buffer, mapping);
    if (is_doubtful &&
        new_mappings_.contain(taker->arena(), reinterpret_cast<char*>(buffer),
                              kScanBufferRegions * sizeof(kernel::PageRegion), mapping.start)) {
        return walk(buffer, mapping.start, mapping.end, mapping.is_file,
                    [&](uint64_t from, uint64_t to, bool) { taker->take_unknown(from, to); });
    }
    return walk(buffer, mapping.start, mapping.end, mapping.is_file,
                [&](uint64_t from, uint64_t to, bool written) {
                    taker->take(from, to, written && is_protected);
                });
}

int SoftDirty::scan_written(kernel::PageRegion* buffer, const AddressRange& range,
                            CensusTaker* taker) {
    return walk(buffer, range.start, range.end, false,
                [&](uint64_t from, uint64_t to, bool written) { taker->take(from, to, written); });
}

}  // namespace cowscope::tracker
