// One walk over the page tables of this process with the PAGEMAP_SCAN ioctl (Linux 6.7).
// Async-signal-safe.
#pragma once

#include <errno.h>

#include "format/kernel_abi.h"
#include "support/syscall.h"

namespace cowscope::tracker {

// A page's categories as this scan asks for them.
struct ScanQuery {
    uint64_t required = 0;       // all of these
    uint64_t forbidden = 0;      // none of these
    uint64_t any_of = 0;         // at least one of these, unless 0
    uint64_t reported = 0;       // what distinguishes one region from the next
    bool write_protect = false;  // write-protect the pages that match, in the same walk
};

// Pages that hold something of the program's. The shared zero page does not: a write to it copies
// nothing.
inline ScanQuery present_pages() {
    ScanQuery query;
    query.forbidden = kernel::kPageIsPfnZero;
    query.any_of = kernel::kPageIsPresent | kernel::kPageIsSwapped;
    return query;
}

inline constexpr size_t kScanBufferRegions = 2048;

// Calls sink(const kernel::PageRegion&) for every region in ascending order. `buffer` has room for
// kScanBufferRegions. Returns 0 or -errno.
template <typename Sink>
int scan_pages(int pagemap_fd, const ScanQuery& query, uint64_t start, uint64_t end,
               kernel::PageRegion* buffer, Sink&& sink) {
    kernel::PagemapScanArgument scan = {};
    scan.size = sizeof(scan);
    scan.flags = query.write_protect ? kernel::kScanWpMatching : 0;
    scan.start = start;
    scan.end = end;
    scan.vec = reinterpret_cast<uint64_t>(buffer);
    scan.vec_len = kScanBufferRegions;
    scan.category_inverted = query.forbidden;
    scan.category_mask = query.required | query.forbidden;
    scan.category_anyof_mask = query.any_of;
    scan.return_mask = query.reported;
    uint64_t done = start;
    while (scan.start < end) {
        const int found = sys::ioctl(pagemap_fd, kernel::kPagemapScan, &scan);
        if (found == -EINTR) continue;
        if (found < 0) return found;
        for (int i = 0; i < found; ++i) {
            // Seen before: see below.
            if (buffer[i].start < done) continue;
            done = buffer[i].end;
            sink(buffer[i]);
        }
        // Only a full buffer means that there is more. The kernel sets walk_end when a buffer of
        // its own fills and leaves it there when the walk then comes to its end, so walk_end alone
        // would send us back (fs/proc/task_mmu.c, do_pagemap_scan(), as of Linux 6.18).
        if (static_cast<size_t>(found) < kScanBufferRegions || scan.walk_end <= scan.start) break;
        scan.start = scan.walk_end;
    }
    return 0;
}

}  // namespace cowscope::tracker
