// What pages of this process are right now, without a tracker: for faults that are seen before the
// inherited pages are listed. Needs PAGEMAP_SCAN (Linux 6.7).
//
// Async-signal-safe; callers hold the process's lock.
#pragma once

#include "process/mappings.h"
#include "support/descriptor.h"
#include "tracker/own_memory.h"
#include "tracker/page_runs.h"
#include "tracker/page_scan.h"

namespace cowscope::tracker {

// Entries of pagemap for which a scan buffer has room.
inline constexpr size_t kEntriesABuffer =
    kScanBufferRegions * sizeof(PageRegion) / sizeof(uint64_t);

struct PageFacts {
    bool is_private = false;  // present, and nobody else's: no file's page, no shared memory
    bool is_watched = false;  // by a userfaultfd of this process
    bool is_huge = false;     // part of a page that is mapped as a whole: 2 MiB, or more
};

// Which pages another process has. Where it may not be asked, none. Opened when it is first asked.
class OtherPages {
  public:
    explicit OtherPages(pid_t pid) : pid_(pid) {}
    OtherPages(const OtherPages&) = delete;
    OtherPages& operator=(const OtherPages&) = delete;
    ~OtherPages();

    bool has(uint64_t address);
    // Whether it has a page of its own anywhere in a mapping of a file. Only then has a fork copied
    // the page table of that mapping (mm/memory.c, vma_needs_copy()). `buffer` has room for
    // kScanBufferRegions.
    bool has_private(const AddressRange& mapping, PageRegion* buffer);

  private:
    size_t read(uint64_t start, uint64_t* entries, size_t count);

    pid_t pid_;
    int pagemap_ = -1;
};

class PageLook {
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
    int list_private(Arena& arena, PageRegion* buffer, const process::Mappings& mappings,
                     const OwnMemory& own, PageRuns* pages);

    // Appends the pages of a range that are there, the file's own too.
    void list_present(Arena& arena, PageRegion* buffer, const AddressRange& range, PageRuns* pages);

    // Takes those out of `pages` that no other process maps, but for those that is_kept(page): they
    // are fresh, or the others have copied them. 30 ns a page and more.
    template <typename IsKept>
    void remove_unshared(Arena& arena, PageRegion* buffer, PageRuns* pages, IsKept&& is_kept);

    // The first of `pages`, from `from` on, that another process has too, or that may be shared as
    // far as can be told (it is swapped out, or nothing can be asked); kAddressSpaceEnd where there
    // is none. 30 ns a page.
    uint64_t first_shared(PageRegion* buffer, const PageRuns& pages, uint64_t from);

    // Whether another process may have that page, as far as can be told.
    bool may_be_shared(uint64_t page);

    // In a forked child the descriptor shows the parent.
    void close();
    void forget() { pagemap_.forget(); }
    Descriptor& descriptor() { return pagemap_; }

  private:
    enum class Known : uint8_t { nothing, works, fails };

    bool read_entries(uint64_t start, uint64_t* entries, size_t count);
    static bool is_unshared(uint64_t entry);

    Descriptor pagemap_;
    Known known_ = Known::nothing;
};

template <typename IsKept>
void PageLook::remove_unshared(Arena& arena, PageRegion* buffer, PageRuns* pages,
                               IsKept&& is_kept) {
    auto* entries = reinterpret_cast<uint64_t*>(buffer);
    PageRuns shared;
    for (const trace::PageRun& run : pages->runs()) {
        for (uint64_t done = 0; done < run.pages;) {
            const uint64_t left = run.pages - done;
            const size_t count =
                left < kEntriesABuffer ? static_cast<size_t>(left) : kEntriesABuffer;
            const uint64_t start = run.start + done * kPageBytes;
            if (!read_entries(start, entries, count)) return;
            for (size_t i = 0; i < count; ++i) {
                const uint64_t page = start + i * kPageBytes;
                if (is_unshared(entries[i]) && !is_kept(page)) continue;
                if (!shared.append(arena, page, page + kPageBytes)) return;
            }
            done += count;
        }
    }
    *pages = shared;
}

}  // namespace cowscope::tracker
