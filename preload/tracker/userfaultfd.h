// The tracker `userfaultfd`: asynchronous write-protection (UFFD_FEATURE_WP_ASYNC, Linux 6.7).
//
// The kernel itself clears a page's protection at its first write and lets the write go on, so the
// program is never stopped and needs no one who answers. Works unprivileged (UFFD_USER_MODE_ONLY).
// Async-signal-safe; callers hold the process's lock.
#pragma once

#include <errno.h>

#include "support/descriptor.h"
#include "support/mappings.h"
#include "tracker/census_taker.h"
#include "tracker/page_scan.h"

namespace cowscope::tracker {

class Userfaultfd {
  public:
    // Opens the descriptors; `pagemap_of_look` is taken where it is open. Returns 0 or -errno: then
    // this process cannot be tracked.
    int open(const Descriptor& pagemap_of_look);
    void close();
    void forget();
    bool is_open() const { return uffd_.is_open(); }
    bool needs_rights() const { return is_by_device_; }
    // -EBADF where the host has closed what this needs.
    int check() const { return uffd_.is_ours() && pagemap_.is_ours() ? 0 : -EBADF; }
    template <typename Take>
    void for_each_descriptor(const Take& take) {
        take(uffd_);
        take(pagemap_);
    }

    // Registers every mapping that is_watched() and not the shim's own. Calls refused(start,
    // -errno) for each that the kernel does not take (EBUSY: a host's own userfaultfd has it). Not
    // for those of MAP_DROPPABLE (Linux 6.11): a fork wipes them, so nothing of them is ever
    // copied.
    template <typename Refused>
    void watch(const Mappings& mappings, const OwnMemory& own, Refused&& refused) {
        for (const Mapping& mapping : mappings.all()) {
            if (!is_watched(mapping) || own.overlaps(mapping.start, mapping.end)) continue;
            const int result = add(mapping.start, mapping.end);
            if (result != 0 && !(result == -EINVAL && is_ordinary_anonymous(mapping))) {
                refused(mapping.start, result);
            }
        }
    }

    int list_present(Arena& arena, kernel::PageRegion* buffer, const AddressRange& used,
                     PageRuns* inherited);
    // `present`: pages that list_present() has found, and that are still there.
    int protect(kernel::PageRegion* buffer, const AddressRange& used, const PageRuns& present);
    // Protects the present pages of a range that is not watched yet, because it was moved there.
    int watch_moved(kernel::PageRegion* buffer, const AddressRange& range);
    void unprotect(const AddressRange& range);
    // Leaves what is watched of a range to another userfaultfd. False where nothing is.
    bool give_up(kernel::PageRegion* buffer, const AddressRange& range);
    // Shows `taker` the pages of `range` that hold something; `is_file`: of a file's mapping, where
    // only those count that are no longer the file's.
    int scan_written(kernel::PageRegion* buffer, const AddressRange& range, bool is_file,
                     bool is_protected, CensusTaker* taker);

  private:
    // Of such memory the kernel takes all but the droppable (vma_can_userfault() in
    // linux/include/linux/userfaultfd_k.h).
    static bool is_ordinary_anonymous(const Mapping& mapping) {
        return !mapping.is_file && !mapping.is_hugetlb && !mapping.special;
    }
    int add(uint64_t start, uint64_t end);
    int protect_range(kernel::PageRegion* buffer, const AddressRange& range);
    int protect_all_of(const AddressRange& range);
    int protect_within(kernel::PageRegion* buffer, const AddressRange& range,
                       const PageRuns& present);

    Descriptor uffd_;
    bool is_by_device_ = false;
    Descriptor pagemap_;
};

}  // namespace cowscope::tracker
