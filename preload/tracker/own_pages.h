// What pages of this process are right now, without a tracker: for faults that are seen before the
// inherited pages are listed. Needs PAGEMAP_SCAN (Linux 6.7).
//
// Async-signal-safe; callers hold the process's lock.
#pragma once

#include "arch/cpu.h"
#include "support/descriptor.h"
#include "support/mappings.h"
#include "support/own_memory.h"
#include "tracker/page_runs.h"
#include "tracker/page_scan.h"

namespace cowscope::tracker {

// Entries of pagemap for which a scan buffer has room.
inline constexpr size_t kEntriesABuffer =
    kScanBufferRegions * sizeof(kernel::PageRegion) / sizeof(uint64_t);

struct PageFacts {
    bool is_private = false;    // present, and nobody else's: no file's page, no shared memory
    bool is_watched = false;    // by a userfaultfd of this process
    bool is_protected = false;  // a userfaultfd is told of the next write
    bool is_huge = false;       // part of a page that is mapped as a whole: 2 MiB, or more
};

// Which pages the process has that forked this one. A file of /proc/PID/pagemap shows the memory of
// who opened it, for good: a child that inherits its parent's needs no number of the parent's,
// which getppid() does not tell (reparenting, CLONE_PARENT, a new pid namespace). Where it cannot
// be asked, because it has ended or its file was closed, it has none.
class ParentPages {
  public:
    bool has(uint64_t address);
    // Whether it has a page of its own anywhere in a mapping of a file. Only then has a fork copied
    // the page table of that mapping (mm/memory.c, vma_needs_copy()). Asked once for each of the
    // mappings that were asked about last.
    bool has_private(const AddressRange& mapping);

    void close() { pagemap_.close(); }
    Descriptor& descriptor() { return pagemap_; }

  private:
    friend class OwnPages;
    struct Known {
        uint64_t mapping;  // its start; 0: none
        bool has_private;
    };
    static constexpr size_t kKnown = 32;

    size_t read(uint64_t start, uint64_t* entries, size_t count);

    Known known_[kKnown] = {};
    size_t next_ = 0;

    Descriptor pagemap_;
};

class OwnPages {
  public:
    // Whether this kernel can be asked at all. Found out by the first call; holds for forked
    // children too.
    bool works();

    // What later needs no rights that the program may give up. False where nothing can be asked.
    bool open();

    // False where nothing is known.
    bool ask(uint64_t address, PageFacts* facts);

    // Which of the `count` pages from `start` on are present and mapped by other processes too.
    // Bit n of the result is the n-th page; `absent` likewise those that hold nothing yet. At most
    // 64 pages.
    uint64_t shared_pages(uint64_t start, size_t count, uint64_t* absent);

    // Appends the private pages of the watched mappings. `buffer` has room for kScanBufferRegions.
    // Returns 0 or -errno.
    int list_private(Arena& arena, kernel::PageRegion* buffer, const Mappings& mappings,
                     const OwnMemory& own, PageRuns* pages);

    // Appends the pages of a range that are there, the file's own too.
    void list_present(Arena& arena, kernel::PageRegion* buffer, const AddressRange& range,
                      PageRuns* pages);

    // Takes those out of `pages` that no other process maps, but for those that is_kept(page,
    // is_own): they are fresh, or the others have copied them. `is_own`: the process has made it,
    // or was left alone with it; no page of a file. 30 ns a page and more.
    // The result is made in `room`, which has the other list's memory afterwards: so that no call
    // needs any of its own.
    template <typename IsKept>
    void remove_unshared(Arena& arena, kernel::PageRegion* buffer, PageRuns* pages, PageRuns* room,
                         IsKept&& is_kept);

    // The first of `pages`, from `from` on, that another process has too, or that may be shared as
    // far as can be told (it is swapped out, or nothing can be asked); cpu::kAddressSpaceEnd where
    // there is none. 30 ns a page.
    uint64_t first_shared(kernel::PageRegion* buffer, const PageRuns& pages, uint64_t from);

    // Appends the pages of [start, end) that are this process's alone, and that the parent has too:
    // they were copied. 30 ns for each page that is there.
    void list_copied(Arena& arena, kernel::PageRegion* buffer, const AddressRange& range,
                     const OwnMemory& own, PageRuns* pages);

    // How many of `pages` but those of `except` are this process's alone, and no file's. 30 ns a
    // page; where they are very many, one in 64 is asked first, and the others only where one of
    // these is.
    uint64_t count_alone(kernel::PageRegion* buffer, const PageRuns& pages, const PageRuns& except);

    // Whether another process may have that page, as far as can be told.
    bool may_be_shared(uint64_t page);

    void close();
    // Before a fork, so that the child can ask what this process has.
    void open_for_children() {
        if (works() && !pagemap_.is_ours()) {
            pagemap_.forget();
            open();
        }
    }
    // In a forked child, whose descriptor shows the parent: that becomes parent(), and what showed
    // the parent's own is closed. `shares_descriptors`: they are the parent's own to close.
    void become_child(bool shares_descriptors);
    ParentPages& parent() { return parent_; }
    Descriptor& descriptor() { return pagemap_; }

  private:
    enum class Known : uint8_t { nothing, works, fails };

    bool read_entries(uint64_t start, uint64_t* entries, size_t count);
    static bool is_unshared(uint64_t entry);
    static bool is_own(uint64_t entry);
    bool has_alone(const PageRuns& pages, const PageRuns& except);

    Descriptor pagemap_;
    ParentPages parent_;
    Known known_ = Known::nothing;
};

template <typename IsKept>
void OwnPages::remove_unshared(Arena& arena, kernel::PageRegion* buffer, PageRuns* pages,
                               PageRuns* room, IsKept&& is_kept) {
    auto* entries = reinterpret_cast<uint64_t*>(buffer);
    room->clear();
    for (const trace::PageRun& run : pages->runs()) {
        for (uint64_t done = 0; done < run.pages;) {
            const uint64_t left = run.pages - done;
            const size_t count =
                left < kEntriesABuffer ? static_cast<size_t>(left) : kEntriesABuffer;
            const uint64_t start = run.start + done * cpu::kPageBytes;
            if (!read_entries(start, entries, count)) return;
            for (size_t i = 0; i < count; ++i) {
                const uint64_t page = start + i * cpu::kPageBytes;
                if (is_unshared(entries[i]) && !is_kept(page, is_own(entries[i]))) continue;
                if (!room->append(arena, page, page + cpu::kPageBytes)) return;
            }
            done += count;
        }
    }
    const PageRuns all = *pages;
    *pages = *room;
    *room = all;
}

}  // namespace cowscope::tracker
