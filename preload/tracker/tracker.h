// Which pages were written: one interface before the two ways to know it.
//
// Async-signal-safe; callers hold the process's lock. Functions that return int return 0 or -errno.
#pragma once

#include <errno.h>

#include "tracker/soft_dirty.h"
#include "tracker/userfaultfd.h"

namespace cowscope::tracker {

class Tracker {
  public:
    // `kind` is not trace::Tracker::off; `pagemap`: OwnPages's.
    int open(trace::Tracker kind, const Descriptor& pagemap) {
        const int result =
            kind == trace::Tracker::userfaultfd ? userfaultfd_.open(pagemap) : soft_dirty_.open();
        if (result == 0) kind_ = kind;
        return result;
    }

    // In a forked child too: the parent's descriptors act on the parent.
    void close() {
        userfaultfd_.close();
        soft_dirty_.close();
        kind_ = trace::Tracker::off;
    }

    // In a child that has the parent's very descriptors: they are not its own to close.
    void forget() {
        userfaultfd_.forget();
        soft_dirty_.forget();
        kind_ = trace::Tracker::off;
    }

    // Whether it cannot be opened any more once the program gives up rights. As the last open()
    // found it; holds for forked children too.
    bool needs_rights() const { return userfaultfd_.needs_rights(); }

    trace::Tracker kind() const { return kind_; }
    bool is_open() const { return kind_ != trace::Tracker::off; }

    // -EBADF where the host has closed descriptors behind the shim's back. What follows a check at
    // once, under the same lock, needs none: watch(), list_present(), protect(), unprotect().
    int check() const {
        return kind_ == trace::Tracker::userfaultfd ? userfaultfd_.check() : soft_dirty_.check();
    }
    template <typename Take>
    void for_each_descriptor(const Take& take) {
        userfaultfd_.for_each_descriptor(take);
        soft_dirty_.for_each_descriptor(take);
    }

    // Whether pages that were only read, which hold the shared page of zeros, count as none.
    bool knows_zero_page() const {
        return kind_ != trace::Tracker::soft_dirty || soft_dirty_.knows_zero_page();
    }

    // From now on the mappings of this process can be asked about. refused(start, -errno) is called
    // for each that cannot.
    template <typename Refused>
    void watch(const Mappings& mappings, const OwnMemory& own, Refused&& refused) {
        if (kind_ == trace::Tracker::userfaultfd) {
            userfaultfd_.watch(mappings, own, refused);
        } else {
            soft_dirty_.watch(mappings, refused);
        }
    }

    // Appends every page that is present in the watched mappings to `inherited`, in about 12 ns a
    // page. Leaves out `used`, the part of the stack that the caller runs on: it was written, and
    // so copied, since the fork.
    int list_present(Arena& arena, kernel::PageRegion* buffer, const Mappings& mappings,
                     const OwnMemory& own, const AddressRange& used, PageRuns* inherited) {
        return kind_ == trace::Tracker::userfaultfd
                   ? userfaultfd_.list_present(arena, buffer, used, inherited)
                   : soft_dirty_.list_present(arena, buffer, mappings, own, used, inherited);
    }

    // Protects the pages that are present, but those of `used`, so that writes to them show: about
    // 27 ns a page, and 40 where few lie side by side. `inherited`: what list_present() has found,
    // or less.
    int protect(kernel::PageRegion* buffer, const Mappings& mappings, const OwnMemory& own,
                const AddressRange& used, const PageRuns& inherited) {
        return kind_ == trace::Tracker::userfaultfd ? userfaultfd_.protect(buffer, used, inherited)
                                                    : soft_dirty_.protect(buffer, mappings, own);
    }

    // A range that stood elsewhere is protected where it stands now. Soft-dirty bits do not survive
    // a move: -EOPNOTSUPP.
    int watch_moved(kernel::PageRegion* buffer, const AddressRange& range) {
        if (kind_ != trace::Tracker::userfaultfd) return -EOPNOTSUPP;
        if (const int gone = check(); gone != 0) return gone;
        return userfaultfd_.watch_moved(buffer, range);
    }

    // Leaves what it has of a range to somebody else. False where it has none.
    bool give_up(kernel::PageRegion* buffer, const AddressRange& range) {
        return kind_ == trace::Tracker::userfaultfd && userfaultfd_.give_up(buffer, range);
    }

    // Takes the protection from one range. With soft-dirty bits there is no such way.
    void unprotect(const AddressRange& range) {
        if (kind_ != trace::Tracker::userfaultfd) return;
        userfaultfd_.unprotect(range);
    }

    // Pages of `inherited` that were written since protect(), when `is_protected`; and how many
    // other pages of its own the process has in `mappings`.
    int take_census(Arena& arena, kernel::PageRegion* buffer, const Mappings& mappings,
                    const PageRuns& inherited, const OwnMemory& own, bool is_protected,
                    Census* census) {
        if (const int gone = check(); gone != 0) return gone;
        CensusTaker taker(&arena, inherited, own, census);
        soft_dirty_.start_census();
        for (const Mapping& mapping : mappings.all()) {
            // A file's read-only parts hold inherited pages too (relocated data), none of them new.
            if (!is_watched(mapping)) continue;
            const int result = scan_mapping(buffer, mapping, is_protected, &taker);
            if (result != 0) return result;
        }
        return taker.complete() ? 0 : -ENOMEM;
    }

    // The same for one range of anonymous memory that is protected.
    int take_census_of(Arena& arena, kernel::PageRegion* buffer, const AddressRange& range,
                       const PageRuns& inherited, const OwnMemory& own, Census* census) {
        if (const int gone = check(); gone != 0) return gone;
        CensusTaker taker(&arena, inherited, own, census);
        const int result = kind_ == trace::Tracker::userfaultfd
                               ? userfaultfd_.scan_written(buffer, range, false, true, &taker)
                               : soft_dirty_.scan_written(buffer, range, &taker);
        return result == 0 && !taker.complete() ? -ENOMEM : result;
    }

  private:
    int scan_mapping(kernel::PageRegion* buffer, const Mapping& mapping, bool is_protected,
                     CensusTaker* taker) {
        if (kind_ == trace::Tracker::userfaultfd) {
            return userfaultfd_.scan_written(buffer, {mapping.start, mapping.end}, mapping.is_file,
                                             is_protected, taker);
        }
        if (!SoftDirty::can_watch(mapping)) return 0;
        return soft_dirty_.scan_mapping(buffer, mapping, is_protected, taker);
    }

    Userfaultfd userfaultfd_;
    SoftDirty soft_dirty_;
    trace::Tracker kind_ = trace::Tracker::off;
};

}  // namespace cowscope::tracker
