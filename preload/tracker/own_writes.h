// Which pages a forked process has written since the fork. A fork leaves all private pages
// read-only on both sides. Who writes one has it writable from then on: as a copy, or as it is,
// where nobody else maps it any more. Who was left alone with a page by the others' copies has it
// read-only still, until its own first write (mm/memory.c, do_wp_page()). No file in /proc shows
// that difference; so the page is made writable, and where that takes a fault, it was not.
//
// Where a part of a large page is asked about that was never written, and another part is shared
// still, the kernel copies that page of 4 KiB (__wp_can_reuse_large_anon_folio()).
//
// Async-signal-safe; the thread has its signals blocked.
#pragma once

#include "tracker/own_pages.h"

namespace cowscope::tracker {

class OwnWrites {
  public:
    explicit OwnWrites(OwnPages* look) : look_(*look) {}

    // Whether the process has written the page, which no other process maps; true where that
    // cannot be told, as of pages that are protected. Asked in ascending order. About a
    // microsecond.
    bool include(uint64_t page);

  private:
    static bool is_written(uint64_t page);

    OwnPages& look_;
    // The huge page that was asked about last, which is read-only or writable as a whole.
    AddressRange huge_ = {};
    bool is_huge_written_ = false;
};

}  // namespace cowscope::tracker
