// The tracker `userfaultfd`: asynchronous write-protection (UFFD_FEATURE_WP_ASYNC, Linux 6.7).
//
// The kernel itself clears a page's protection at its first write and lets the write go on, so the
// program is never stopped and needs no one who answers. Works unprivileged (UFFD_USER_MODE_ONLY).
// Async-signal-safe; callers hold the process's lock.
#pragma once

#include "process/mappings.h"
#include "tracker/own_memory.h"
#include "tracker/page_runs.h"
#include "tracker/page_scan.h"

namespace cowscope::tracker {

class Userfaultfd {
  public:
    // Opens the descriptors. Returns 0 or -errno: then this process cannot be tracked.
    int open();
    void close();
    bool is_open() const { return uffd_ >= 0; }

    // In a forked child: the parent's descriptors act on the parent, so they only get closed.
    void close_inherited() { close(); }

    // Registers every private writable mapping that is not the shim's own. Calls
    // refused(start, -errno) for each that the kernel does not take (EBUSY: a host's own
    // userfaultfd has it).
    template <typename Refused>
    void watch(const process::Mappings& mappings, const OwnMemory& own, Refused&& refused) {
        for (const process::Mapping& mapping : mappings.all()) {
            if (!mapping.is_private || !mapping.writable || mapping.special) continue;
            if (own.overlaps(mapping.start, mapping.end)) continue;
            const int result = add(mapping.start, mapping.end);
            if (result != 0) refused(mapping.start, result);
        }
    }

    // Appends every page that is present in the watched mappings to `inherited`, in about 2 ns a
    // page. Leaves out [used_start, used_end), the part of the stack that the caller runs on: it
    // was written, and so copied, since the fork. Returns 0 or -errno.
    int list_present(Arena& arena, PageRegion* buffer, uint64_t used_start, uint64_t used_end,
                     PageRuns* inherited);

    // Write-protects the present pages of the watched mappings but those of [used_start,
    // used_end), in about 27 ns a page that was not protected before. Returns 0 or -errno.
    int protect(PageRegion* buffer, uint64_t used_start, uint64_t used_end);

    struct Census {
        PageRuns copied;
        uint64_t fresh_pages = 0;
    };
    // Pages of `inherited` that were written since protect(), when `is_protected`; and how many
    // other pages of the process's own there are in `mappings`, the shim's left out. Returns 0 or
    // -errno.
    int take_census(Arena& arena, PageRegion* buffer, const process::Mappings& mappings,
                    const PageRuns& inherited, const OwnMemory& own, bool is_protected,
                    Census* census);

  private:
    int add(uint64_t start, uint64_t end);

    int uffd_ = -1;
    int pagemap_ = -1;
};

}  // namespace cowscope::tracker
