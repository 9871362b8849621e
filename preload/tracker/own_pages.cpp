#include "tracker/own_pages.h"

#include "arch/cpu.h"
#include "format/kernel_abi.h"
#include "support/descriptor.h"
#include "support/text.h"
#include "support/thread_list.h"
#include "tracker/census_taker.h"
#include "tracker/own_pagemap.h"

#include "support/poison.h"

namespace cowscope::tracker {
namespace {

// An entry of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
constexpr uint64_t kEntryExclusive = uint64_t{1} << 56;  // mapped once; Linux 4.2
constexpr uint64_t kEntryFileOrShared = uint64_t{1} << 61;
constexpr uint64_t kEntrySwapped = uint64_t{1} << 62;
constexpr uint64_t kEntryPresent = uint64_t{1} << 63;

bool is_shared(uint64_t entry) {
    return (entry & (kEntryPresent | kEntryExclusive | kEntryFileOrShared)) == kEntryPresent;
}

// How many entries were read.
size_t read_pagemap(int fd, uint64_t start, uint64_t* entries, size_t count) {
    const auto offset = static_cast<long>(start / cpu::kPageBytes * sizeof(uint64_t));
    const long got = sys::syscall4(SYS_pread64, fd, sys::word(entries),
                                   static_cast<long>(count * sizeof(uint64_t)), offset);
    return sys::failed(got) ? 0 : static_cast<size_t>(got) / sizeof(uint64_t);
}

}  // namespace

size_t ParentPages::read(uint64_t start, uint64_t* entries, size_t count) {
    return pagemap_.is_ours() ? read_pagemap(pagemap_.number(), start, entries, count) : 0;
}

bool ParentPages::has(uint64_t address) {
    uint64_t entry = 0;
    return read(address, &entry, 1) == 1 && (entry & (kEntryPresent | kEntrySwapped)) != 0;
}

bool ParentPages::has_private(const AddressRange& mapping) {
    for (const Known& known : known_) {
        if (known.mapping == mapping.start && known.mapping != 0) return known.has_private;
    }
    kernel::PageRegion region;
    kernel::PagemapScanArgument scan = {};
    scan.size = sizeof(scan);
    scan.start = mapping.start;
    scan.end = mapping.end;
    scan.vec = reinterpret_cast<uint64_t>(&region);
    scan.vec_len = scan.max_pages = 1;
    scan.category_inverted = kernel::kPageIsPfnZero | kernel::kPageIsFile;
    scan.category_mask = scan.category_inverted | kernel::kPageIsPresent;
    scan.return_mask = kernel::kPageIsPresent;
    const bool found =
        pagemap_.is_ours() && sys::ioctl(pagemap_.number(), kernel::kPagemapScan, &scan) == 1;
    known_[next_] = {mapping.start, found};
    next_ = (next_ + 1) % kKnown;
    return found;
}

bool OwnPages::works() {
    if (known_ == Known::nothing) {
        const int here = 0;  // on the stack: present, and private
        PageFacts facts;
        const bool found = ask(reinterpret_cast<uint64_t>(&here), &facts) && facts.is_private;
        known_ = found ? Known::works : Known::fails;
    }
    return known_ == Known::works;
}

bool OwnPages::ask(uint64_t address, PageFacts* facts) {
    if (!open()) return false;
    kernel::PageRegion region = {};
    kernel::PagemapScanArgument scan = {};
    scan.size = sizeof(scan);
    scan.start = cpu::page_of(address);
    scan.end = scan.start + cpu::kPageBytes;
    scan.vec = reinterpret_cast<uint64_t>(&region);
    scan.vec_len = 1;
    scan.category_inverted = kernel::kPageIsPfnZero;
    scan.category_mask = kernel::kPageIsPfnZero | kernel::kPageIsPresent;
    scan.return_mask = kernel::kPageIsFile | kernel::kPageIsHuge | kernel::kPageIsWpAllowed |
                       kernel::kPageIsWritten;
    const int found = sys::ioctl(pagemap_.number(), kernel::kPagemapScan, &scan);
    if (found < 0) return false;
    *facts = {};
    if (found == 1) {
        facts->is_private = (region.categories & kernel::kPageIsFile) == 0;
        facts->is_watched = (region.categories & kernel::kPageIsWpAllowed) != 0;
        facts->is_protected =
            facts->is_watched && (region.categories & kernel::kPageIsWritten) == 0;
        facts->is_huge = (region.categories & kernel::kPageIsHuge) != 0;
    }
    return true;
}

bool OwnPages::read_entries(uint64_t start, uint64_t* entries, size_t count) {
    return open() && read_pagemap(pagemap_.number(), start, entries, count) == count;
}

uint64_t OwnPages::shared_pages(uint64_t start, size_t count, uint64_t* absent) {
    uint64_t entries[64];
    uint64_t shared = 0;
    *absent = 0;
    if (!read_entries(start, entries, count)) return 0;
    for (size_t i = 0; i < count; ++i) {
        if (is_shared(entries[i])) shared |= uint64_t{1} << i;
        if ((entries[i] & kEntryPresent) == 0) *absent |= uint64_t{1} << i;
    }
    return shared;
}

int OwnPages::list_private(Arena& arena, kernel::PageRegion* buffer, const Mappings& mappings,
                           const OwnMemory& own, PageRuns* pages) {
    if (!open()) return -ENOENT;
    bool complete = true;
    for (const Mapping& mapping : mappings.all()) {
        if (!is_watched(mapping) || own.overlaps(mapping.start, mapping.end)) continue;
        ScanQuery query = present_pages();
        if (mapping.is_file) query.forbidden |= kernel::kPageIsFile;
        query.reported = kernel::kPageIsPresent | kernel::kPageIsSwapped;
        const int result =
            scan_pages(pagemap_.number(), query, mapping.start, mapping.end, buffer,
                       [&](const kernel::PageRegion& region) {
                           complete = pages->append(arena, region.start, region.end) && complete;
                       });
        if (result != 0) return result;
    }
    return complete ? 0 : -ENOMEM;
}

void OwnPages::list_present(Arena& arena, kernel::PageRegion* buffer, const AddressRange& range,
                            PageRuns* pages) {
    if (!open()) return;
    ScanQuery query = present_pages();
    query.reported = kernel::kPageIsPresent;
    scan_pages(
        pagemap_.number(), query, range.start, range.end, buffer,
        [&](const kernel::PageRegion& region) { pages->append(arena, region.start, region.end); });
}

bool OwnPages::may_be_shared(uint64_t page) {
    uint64_t entry = 0;
    return !read_entries(page, &entry, 1) || !is_unshared(entry);
}

uint64_t OwnPages::first_shared(kernel::PageRegion* buffer, const PageRuns& pages, uint64_t from) {
    auto* entries = reinterpret_cast<uint64_t*>(buffer);
    // Few at first: in most cases the one at `from` is it.
    size_t most = 8;
    size_t cursor = 0;
    uint64_t found = cpu::kAddressSpaceEnd;
    pages.intersect(from, cpu::kAddressSpaceEnd, &cursor, [&](uint64_t start, uint64_t end) {
        while (start < end && found == cpu::kAddressSpaceEnd) {
            const uint64_t left = (end - start) / cpu::kPageBytes;
            const size_t count = left < most ? static_cast<size_t>(left) : most;
            most = kEntriesABuffer;
            if (!read_entries(start, entries, count)) {
                found = start;
                return;
            }
            for (size_t i = 0; i < count && found == cpu::kAddressSpaceEnd; ++i) {
                if (is_shared(entries[i]) || (entries[i] & kEntrySwapped) != 0) {
                    found = start + i * cpu::kPageBytes;
                }
            }
            start += count * cpu::kPageBytes;
        }
    });
    return found;
}

// What is swapped out cannot be told, and was there for long.
bool OwnPages::is_unshared(uint64_t entry) {
    return (entry & kEntryPresent) != 0 && !is_shared(entry);
}

bool OwnPages::is_own(uint64_t entry) {
    return is_unshared(entry) && (entry & kEntryFileOrShared) == 0;
}

namespace {

bool is_alone(uint64_t entry) {
    constexpr uint64_t kAlone = kEntryPresent | kEntryExclusive;
    return (entry & (kAlone | kEntryFileOrShared)) == kAlone;
}

}  // namespace

void OwnPages::list_copied(Arena& arena, kernel::PageRegion* buffer, const AddressRange& range,
                           const OwnMemory& own, PageRuns* pages) {
    // Little room on the stack, which may be a small one.
    constexpr size_t kEntries = 64;
    if (!open() || !parent_.pagemap_.is_ours()) return;
    ScanQuery query = present_pages();
    query.forbidden |= kernel::kPageIsFile;
    query.reported = kernel::kPageIsPresent;
    scan_pages(pagemap_.number(), query, range.start, range.end, buffer,
               [&](const kernel::PageRegion& region) {
                   uint64_t entries[kEntries];
                   uint64_t theirs[kEntries];
                   for (uint64_t start = region.start; start < region.end;) {
                       const uint64_t left = (region.end - start) / cpu::kPageBytes;
                       const size_t count = left < kEntries ? static_cast<size_t>(left) : kEntries;
                       if (!read_entries(start, entries, count)) return;
                       size_t known = 0;  // of `theirs`
                       for (size_t i = 0; i < count; ++i) {
                           const uint64_t page = start + i * cpu::kPageBytes;
                           if (!is_alone(entries[i]) || own.overlaps(page, page + cpu::kPageBytes))
                               continue;
                           if (known == 0) known = parent_.read(start, theirs, count);
                           if (i >= known) break;
                           if ((theirs[i] & (kEntryPresent | kEntrySwapped)) == 0) continue;
                           pages->append(arena, page, page + cpu::kPageBytes);
                       }
                       start += count * cpu::kPageBytes;
                   }
               });
}

bool OwnPages::has_alone(const PageRuns& pages, const PageRuns& except) {
    constexpr uint64_t kStep = 64;
    // Not the same one of each 64: memory is laid out in steps of such sizes.
    uint64_t next = 0;
    uint64_t chance = 0x9e3779b97f4a7c15u;
    uint64_t before = 0;
    for (const trace::PageRun& run : pages.runs()) {
        for (; next < before + run.pages; next += kStep / 2 + (chance >> 58)) {
            chance = chance * 6364136223846793005u + 1442695040888963407u;
            const uint64_t page = run.start + (next - before) * cpu::kPageBytes;
            uint64_t entry = 0;
            if (!read_entries(page, &entry, 1)) return false;
            if (is_alone(entry) && !except.contains(page)) return true;
        }
        before += run.pages;
    }
    return false;
}

uint64_t OwnPages::count_alone(kernel::PageRegion* buffer, const PageRuns& pages,
                               const PageRuns& except) {
    // 64 MiB: half a millisecond.
    constexpr uint64_t kWorthAsking = uint64_t{1} << 14;
    if (!works()) return 0;
    if (pages.pages() > kWorthAsking && !has_alone(pages, except)) return 0;
    auto* entries = reinterpret_cast<uint64_t*>(buffer);
    uint64_t alone = 0;
    size_t cursor = 0;
    for (const trace::PageRun& run : pages.runs()) {
        for (uint64_t done = 0; done < run.pages;) {
            const uint64_t left = run.pages - done;
            const size_t count =
                left < kEntriesABuffer ? static_cast<size_t>(left) : kEntriesABuffer;
            const uint64_t start = run.start + done * cpu::kPageBytes;
            if (!read_entries(start, entries, count)) return alone;
            except.intersect(start, start + count * cpu::kPageBytes, &cursor,
                             [&](uint64_t from, uint64_t to) {
                                 for (; from < to; from += cpu::kPageBytes) {
                                     entries[(from - start) / cpu::kPageBytes] = 0;
                                 }
                             });
            for (size_t i = 0; i < count; ++i) alone += is_alone(entries[i]) ? 1 : 0;
            done += count;
        }
    }
    return alone;
}

bool OwnPages::open() {
    if (pagemap_.is_open()) return true;
    const int fd = open_own_pagemap();
    return fd >= 0 && pagemap_.keep(fd);
}

void OwnPages::close() {
    pagemap_.close();
    parent_.close();
}

void OwnPages::become_child(bool shares_descriptors) {
    const bool is_open = pagemap_.is_ours();
    for (ParentPages::Known& known : parent_.known_) known = {};
    if (!shares_descriptors) {
        parent_.close();
        parent_.pagemap_ = pagemap_;
        if (!is_open) parent_.pagemap_.forget();
    } else {
        parent_.pagemap_.forget();
        const int own = is_open ? sys::fcntl(pagemap_.number(), F_DUPFD_CLOEXEC, 0) : -1;
        if (own >= 0) parent_.pagemap_.keep(own);
    }
    pagemap_.forget();
}

}  // namespace cowscope::tracker
