#include "observe/page_census.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "preload/format/kernel_abi.h"

namespace cowscope::observe {

namespace {

constexpr uint64_t kPage = trace::kPageBytes;
constexpr size_t kRegionsACall = 4096;
constexpr size_t kEntriesARead = 64 * 1024;
// The kernel holds the process's mmap_lock during a call, and this is half a millisecond of it.
constexpr uint64_t kBytesACall = uint64_t{1} << 30;
// Walking an empty gap is cheaper than one more call, up to about these sizes.
constexpr uint64_t kSmallGapBytes = kBytesACall;
constexpr uint64_t kSmallGapToReadBytes = uint64_t{1} << 20;
// Without PAGEMAP_SCAN even emptiness is read page by page, at 1 to 2 ns each. Of a larger range
// only the inherited pages are looked at, and its fresh ones go uncounted.
constexpr uint64_t kLargestReadBytes = uint64_t{16} << 30;

uint64_t end_of(const trace::PageRun& run) {
    return run.start + run.pages * kPage;
}

bool is_special(const trace::Mapping& mapping) {
    return mapping.path == "[vdso]" || mapping.path.rfind("[vvar", 0) == 0 ||
           mapping.path == "[vsyscall]";
}

}  // namespace

std::vector<PageRange> ranges_to_scan(const trace::Mappings& mappings,
                                      const trace::PageSet& left_out, uint64_t small_gap_bytes) {
    std::vector<PageRange> ranges;
    bool interrupted = true;
    const auto add = [&](uint64_t start, uint64_t end, bool is_file) {
        if (start >= end) return;
        if (!interrupted && ranges.back().is_file == is_file &&
            start - ranges.back().end <= small_gap_bytes) {
            ranges.back().end = end;
        } else {
            ranges.push_back({start, end, is_file});
        }
        interrupted = false;
    };
    for (const trace::Mapping& mapping : mappings.all()) {
        if (!mapping.is_private || is_special(mapping)) {
            interrupted = true;
            continue;
        }
        uint64_t start = mapping.start;
        for (const trace::PageRun& hole : left_out.runs()) {
            if (hole.start >= mapping.end || end_of(hole) <= start) continue;
            add(start, std::max(start, hole.start), mapping.is_file());
            start = std::min(mapping.end, end_of(hole));
            interrupted = true;
        }
        add(start, mapping.end, mapping.is_file());
    }
    return ranges;
}

// Holds pages that are there against the inherited ones.
class PageScanner::Taker {
  public:
    Taker(const trace::PageSet& inherited, PageCensus* census)
        : runs_(inherited.runs()), census_(*census) {}

    // Pages that hold something, in ascending order. `tracked`: the tracker can tell of a write;
    // `written`: it does.
    void take(uint64_t start, uint64_t end, bool tracked, bool written) {
        uint64_t inherited_bytes = 0;
        if (tracked) {
            while (next_ < runs_.size() && end_of(runs_[next_]) <= start) ++next_;
            for (size_t i = next_; i < runs_.size() && runs_[i].start < end; ++i) {
                const uint64_t from = std::max(start, runs_[i].start);
                const uint64_t to = std::min(end, end_of(runs_[i]));
                inherited_bytes += to - from;
                if (written) census_.copied.append({from, (to - from) / kPage});
            }
        }
        if (inherited_bytes != 0) census_.tracker_is_there = true;
        census_.fresh_pages += (end - start - inherited_bytes) / kPage;
    }

  private:
    const std::vector<trace::PageRun>& runs_;
    PageCensus& census_;
    size_t next_ = 0;  // the first run that does not end before the pages to come
};

PageScanner::PageScanner(bool scans_soft_dirty)
    : regions_(kRegionsACall), scans_soft_dirty_(scans_soft_dirty) {}

uint64_t PageScanner::small_gap_bytes(trace::Tracker tracker) const {
    return tracker == trace::Tracker::userfaultfd || scans_soft_dirty_ ? kSmallGapBytes
                                                                       : kSmallGapToReadBytes;
}

int PageScanner::take_census(int pagemap, trace::Tracker tracker,
                             const std::vector<PageRange>& ranges, const trace::PageSet& inherited,
                             PageCensus* census) {
    Taker taker(inherited, census);
    for (const PageRange& range : ranges) {
        int error = EINVAL;
        if (tracker == trace::Tracker::userfaultfd || scans_soft_dirty_) {
            error = scan(pagemap, tracker, range, &taker);
            // ENOTTY before Linux 6.7, EINVAL for the bit before 6.8.
            const bool refused = error == EINVAL || error == ENOTTY;
            if (tracker == trace::Tracker::soft_dirty && refused) scans_soft_dirty_ = false;
        }
        if (tracker == trace::Tracker::soft_dirty && !scans_soft_dirty_) {
            error = read_entries(pagemap, range, inherited, &taker);
        }
        if (error != 0) return error;
    }
    return 0;
}

uint64_t PageScanner::count_alone(int pagemap, const trace::PageSet& pages,
                                  const trace::PageSet& except) {
    constexpr uint64_t kAlone = kernel::kPagemapPresent | kernel::kPagemapExclusive;
    constexpr uint64_t kStep = 64;
    const trace::PageSet asked = trace::without(pages, except);
    const auto count_in = [&](uint64_t start, uint64_t count) -> uint64_t {
        const ssize_t got = pread(pagemap, entries_.data(), count * sizeof(uint64_t),
                                  static_cast<off_t>(start / kPage * sizeof(uint64_t)));
        const size_t read = got < 0 ? 0 : static_cast<size_t>(got) / sizeof(uint64_t);
        return static_cast<uint64_t>(
            std::count_if(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(read),
                          [](uint64_t entry) {
                              return (entry & (kAlone | kernel::kPagemapFileOrShared)) == kAlone;
                          }));
    };
    entries_.resize(kEntriesARead);
    bool has_any = false;
    uint64_t next = 0;
    uint64_t before = 0;
    for (const trace::PageRun& run : asked.runs()) {
        // Not the same one of each 64: memory is laid out in steps of such sizes.
        for (; next < before + run.pages && !has_any; next += kStep - next / kStep % 7) {
            has_any = count_in(run.start + (next - before) * kPage, 1) != 0;
        }
        before += run.pages;
    }
    uint64_t alone = 0;
    if (!has_any) return alone;
    for (const trace::PageRun& run : asked.runs()) {
        for (uint64_t done = 0; done < run.pages;) {
            const uint64_t count = std::min<uint64_t>(run.pages - done, entries_.size());
            alone += count_in(run.start + done * kPage, count);
            done += count;
        }
    }
    return alone;
}

int PageScanner::scan(int pagemap, trace::Tracker tracker, const PageRange& range, Taker* taker) {
    kernel::PagemapScanArgument argument{};
    argument.size = sizeof(argument);
    argument.vec = reinterpret_cast<uintptr_t>(regions_.data());
    argument.vec_len = regions_.size();
    // The shared zero page holds nothing: a write to it copies nothing. Telling a file's pages
    // costs ten times as much as the rest, so it is asked only where there is a file.
    argument.category_inverted = kernel::kPageIsPfnZero | (range.is_file ? kernel::kPageIsFile : 0);
    argument.category_mask = argument.category_inverted;
    argument.category_anyof_mask = kernel::kPageIsPresent | kernel::kPageIsSwapped;
    argument.return_mask = tracker == trace::Tracker::userfaultfd
                               ? kernel::kPageIsWpAllowed | kernel::kPageIsWritten
                               : kernel::kPageIsSoftDirty;
    for (uint64_t at = range.start; at < range.end;) {
        argument.start = at;
        argument.end = std::min(range.end, at + kBytesACall);
        const int error = scan_region(pagemap, &argument, taker);
        if (error != 0) return error;
        at = argument.end;
    }
    return 0;
}

int PageScanner::scan_region(int pagemap, kernel::PagemapScanArgument* argument, Taker* taker) {
    const bool is_userfaultfd = (argument->return_mask & kernel::kPageIsWritten) != 0;
    uint64_t done = argument->start;
    while (argument->start < argument->end) {
        const int found = ioctl(pagemap, kernel::kPagemapScan, argument);
        if (found < 0 && errno == EINTR) continue;
        if (found < 0) return errno;
        for (size_t i = 0; i < static_cast<size_t>(found); ++i) {
            const kernel::PageRegion& region = regions_[i];
            if (region.start < done) continue;
            done = region.end;
            const bool written = (region.categories & argument->return_mask &
                                  (kernel::kPageIsWritten | kernel::kPageIsSoftDirty)) != 0;
            const bool tracked =
                !is_userfaultfd || (region.categories & kernel::kPageIsWpAllowed) != 0;
            taker->take(region.start, region.end, tracked, written);
        }
        // Only a full buffer means that there is more: walk_end may stay behind at the end of a
        // walk (fs/proc/task_mmu.c, do_pagemap_scan(), as of Linux 6.18).
        if (static_cast<size_t>(found) < regions_.size() || argument->walk_end <= argument->start) {
            break;
        }
        argument->start = argument->walk_end;
    }
    return 0;
}

int PageScanner::read_entries(int pagemap, const PageRange& range, const trace::PageSet& inherited,
                              Taker* taker) {
    if (range.end - range.start <= kLargestReadBytes) {
        return read_entries_of(pagemap, range.start, range.end, range.is_file, taker);
    }
    for (const trace::PageRun& run : inherited.runs()) {
        const uint64_t start = std::max(range.start, run.start);
        const uint64_t end = std::min(range.end, end_of(run));
        if (start >= end) continue;
        const int error = read_entries_of(pagemap, start, end, range.is_file, taker);
        if (error != 0) return error;
    }
    return 0;
}

int PageScanner::read_entries_of(int pagemap, uint64_t start, uint64_t end, bool is_file,
                                 Taker* taker) {
    entries_.resize(kEntriesARead);
    while (start < end) {
        const uint64_t wanted = std::min<uint64_t>((end - start) / kPage, entries_.size());
        const ssize_t got = pread(pagemap, entries_.data(), wanted * sizeof(uint64_t),
                                  static_cast<off_t>(start / kPage * sizeof(uint64_t)));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        const auto count = static_cast<size_t>(got) / sizeof(uint64_t);
        if (count == 0) return ESRCH;
        for (size_t i = 0; i < count; ++i) {
            const uint64_t entry = entries_[i];
            if ((entry & (kernel::kPagemapPresent | kernel::kPagemapSwapped)) == 0) continue;
            if (is_file && (entry & kernel::kPagemapFileOrShared) != 0) continue;
            const uint64_t page = start + i * kPage;
            taker->take(page, page + kPage, true, (entry & kernel::kPagemapSoftDirty) != 0);
        }
        start += count * kPage;
    }
    return 0;
}

bool memory_is_alive(int pagemap, uint64_t mapped) {
    uint64_t entry = 0;
    ssize_t got = -1;
    do {
        got = pread(pagemap, &entry, sizeof(entry),
                    static_cast<off_t>(mapped / kPage * sizeof(entry)));
    } while (got < 0 && errno == EINTR);
    // The kernel reads nothing once the last user of the memory has left it (fs/proc/task_mmu.c,
    // pagemap_read()), which is before it starts to take it down.
    return got == static_cast<ssize_t>(sizeof(entry));
}

}  // namespace cowscope::observe
