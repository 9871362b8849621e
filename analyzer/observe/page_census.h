// A census of another process through its /proc/PID/pagemap: the same pages that the process would
// count itself (preload/tracker/).
#pragma once

#include <cstdint>
#include <vector>

#include "preload/format/kernel_abi.h"
#include "preload/format/trace_format.h"
#include "trace/mappings.h"
#include "trace/page_set.h"

namespace cowscope::observe {

struct PageRange {
    uint64_t start = 0;
    uint64_t end = 0;
    bool is_file = false;  // of files' mappings: only pages that are no longer the file's count
};

// The private memory of a process without the pages of `left_out`, in few ascending ranges. What
// lies between two mappings is empty, and may be in a range, up to `small_gap_bytes` at a time.
std::vector<PageRange> ranges_to_scan(const trace::Mappings& mappings,
                                      const trace::PageSet& left_out, uint64_t small_gap_bytes);

struct PageCensus {
    trace::PageSet copied;     // inherited pages that were written since they were protected
    uint64_t fresh_pages = 0;  // pages of the process's own besides
    // An inherited page was found in the care of the tracker. Where none is, the tracker is gone
    // (the program closed its descriptors), and the rest of this says nothing.
    bool tracker_is_there = false;

    void clear() {
        copied.clear();
        fresh_pages = 0;
        tracker_is_there = false;
    }
};

class PageScanner {
  public:
    // `scans_soft_dirty`: tries PAGEMAP_SCAN for soft-dirty pages, too, until the kernel refuses.
    explicit PageScanner(bool scans_soft_dirty = true);

    // For ranges_to_scan().
    uint64_t small_gap_bytes(trace::Tracker tracker) const;

    // `pagemap` is open for reading; `tracker` is the one of that process, not off; `census` is
    // empty. Returns 0 or an errno; ESRCH: the process's memory is gone.
    int take_census(int pagemap, trace::Tracker tracker, const std::vector<PageRange>& ranges,
                    const trace::PageSet& inherited, PageCensus* census);

    // How many of `pages` but those of `except` nobody else maps. 30 ns a page, and no more than a
    // look at some of them where there are none. 0 where the memory is gone.
    uint64_t count_alone(int pagemap, const trace::PageSet& pages, const trace::PageSet& except);

  private:
    class Taker;

    int scan(int pagemap, trace::Tracker tracker, const PageRange& range, Taker* taker);
    int scan_region(int pagemap, kernel::PagemapScanArgument* argument, Taker* taker);
    int read_entries(int pagemap, const PageRange& range, const trace::PageSet& inherited,
                     Taker* taker);
    int read_entries_of(int pagemap, uint64_t start, uint64_t end, bool is_file, Taker* taker);

    std::vector<kernel::PageRegion> regions_;
    std::vector<uint64_t> entries_;
    bool scans_soft_dirty_;
};

// Whether the memory behind `pagemap` is still that of a living process: what was read through it
// before is then whole. `mapped` is an address below the end of the address space.
bool memory_is_alive(int pagemap, uint64_t mapped);

}  // namespace cowscope::observe
