// The tracker `soft-dirty`: the bit that the kernel sets in a page's table entry at its first write
// after the bits were cleared (Documentation/admin-guide/mm/soft-dirty.rst; CONFIG_MEM_SOFT_DIRTY).
//
// Clearing walks the whole address space and write-protects it. What the bit does not tell:
// - New mappings read as written altogether, so only pages known to be inherited are believed.
// - So does a mapping that new memory was merged with: see new_mappings.h.
// - Where the kernel splits a huge page, all of its pages become dirty (Linux 6.3), and a first
// write
//   splits it. Huge pages are split before the bits are cleared, therefore, where the kernel can
//   say where they are (Linux 6.8).
// - Memory of hugetlb has no such bit.
// - Before Linux 6.8 nothing tells the shared page of zeros from a page of the process's own.
// Async-signal-safe; callers hold the process's lock.
#pragma once

#include <errno.h>

#include "support/descriptor.h"
#include "support/mappings.h"
#include "tracker/census_taker.h"
#include "tracker/new_mappings.h"
#include "tracker/page_scan.h"

namespace cowscope::tracker {

class SoftDirty {
  public:
    // Returns 0, -EOPNOTSUPP where the kernel does not keep the bit (without it clearing still
    // succeeds, so this is found out by a write), or another -errno.
    int open();
    void close();
    // In a child, which has nothing of what is in the arena.
    void forget() {
        pagemap_.forget();
        clear_refs_.forget();
        new_mappings_ = {};
    }
    bool is_open() const { return pagemap_.is_open(); }
    // -EBADF where the host has closed what this needs.
    int check() const { return pagemap_.is_ours() && clear_refs_.is_ours() ? 0 : -EBADF; }
    template <typename Take>
    void for_each_descriptor(const Take& take) {
        take(pagemap_);
        take(clear_refs_);
    }

    bool knows_zero_page() const { return scans_soft_dirty_; }
    static bool can_watch(const Mapping& mapping) {
        return is_watched(mapping) && !mapping.is_hugetlb;
    }

    // Calls refused(start, -errno) for each mapping that cannot be watched and should.
    template <typename Refused>
    void watch(const Mappings& mappings, Refused&& refused) {
        for (const Mapping& mapping : mappings.all()) {
            if (is_watched(mapping) && !can_watch(mapping)) refused(mapping.start, -EOPNOTSUPP);
        }
    }

    int list_present(Arena& arena, kernel::PageRegion* buffer, const Mappings& mappings,
                     const OwnMemory& own, const AddressRange& used, PageRuns* inherited);
    int protect(kernel::PageRegion* buffer, const Mappings& mappings, const OwnMemory& own);

    // Before the first scan_mapping() of a census.
    void start_census() { new_mappings_.forget(); }
    // Shows `taker` the pages of the mapping that hold something.
    int scan_mapping(kernel::PageRegion* buffer, const Mapping& mapping, bool is_protected,
                     CensusTaker* taker);
    // The same for a part of anonymous memory that is protected.
    int scan_written(kernel::PageRegion* buffer, const AddressRange& range, CensusTaker* taker);

  private:
    void split_huge_pages(kernel::PageRegion* buffer, const Mappings& mappings,
                          const OwnMemory& own);
    // Whether a page of the mapping holds something and was not written.
    bool has_clean_page(kernel::PageRegion* buffer, const Mapping& mapping);

    // Calls sink(start, end, written) for the pages of [start, end) that hold something; `is_file`:
    // of a file's mapping, where only those count that are no longer the file's.
    template <typename Sink>
    int walk(kernel::PageRegion* buffer, uint64_t start, uint64_t end, bool is_file, Sink&& sink);
    int read_entries(uint64_t start, uint64_t* entries, size_t count);

    Descriptor pagemap_;
    Descriptor clear_refs_;  // kept, because the program may give up the right to open it
    NewMappings new_mappings_;
    // Found out by the first open(); holds for forked children too.
    bool works_ = false;
    bool scans_soft_dirty_ = false;  // PAGEMAP_SCAN knows the bit (Linux 6.8)
};

}  // namespace cowscope::tracker
