// The tracker `soft-dirty`: the bit that the kernel sets in a page's table entry at its first write
// after the bits were cleared (Documentation/admin-guide/mm/soft-dirty.rst; CONFIG_MEM_SOFT_DIRTY).
//
// Clearing walks the whole address space and write-protects it. New mappings read as written
// altogether, so only pages known to be inherited are believed. Async-signal-safe; callers hold the
// process's lock.
#pragma once

#include "process/mappings.h"
#include "tracker/census.h"
#include "tracker/page_scan.h"

namespace cowscope::tracker {

class SoftDirty {
  public:
    // Returns 0, -EOPNOTSUPP where the kernel does not keep the bit (without it clearing still
    // succeeds, so this is found out by a write), or another -errno.
    int open();
    void close();
    bool is_open() const { return pagemap_ >= 0; }

    int list_present(Arena& arena, PageRegion* buffer, const process::Mappings& mappings,
                     const OwnMemory& own, const AddressRange& used, PageRuns* inherited);
    int protect();
    // Shows `taker` the pages of `range` that hold something; `is_file`: of a file's mapping, where
    // only those count that are no longer the file's.
    int scan_written(PageRegion* buffer, const AddressRange& range, bool is_file, bool is_protected,
                     CensusTaker* taker);

  private:
    // Calls sink(start, end, written) for the pages of [start, end) that hold something.
    template <typename Sink>
    int walk(PageRegion* buffer, uint64_t start, uint64_t end, bool is_file, Sink&& sink);
    int read_entries(uint64_t start, uint64_t* entries, size_t count);

    int pagemap_ = -1;
    // Found out by the first open(); holds for forked children too.
    bool works_ = false;
    bool scans_soft_dirty_ = false;  // PAGEMAP_SCAN knows the bit (Linux 6.8)
};

}  // namespace cowscope::tracker
