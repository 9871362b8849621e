// A census being taken: which inherited pages were copied, and how many pages are the process's own
// besides.
#pragma once

#include "arch/cpu.h"
#include "support/own_memory.h"
#include "tracker/page_runs.h"

namespace cowscope::tracker {

struct Census {
    PageRuns copied;
    uint64_t fresh_pages = 0;
    uint64_t unknown_pages =
        0;  // inherited ones, of which the tracker cannot tell; not in `copied`

    void clear() {
        copied.clear();
        fresh_pages = unknown_pages = 0;
    }
};

class CensusTaker {
  public:
    CensusTaker(Arena* arena, const PageRuns& inherited, const OwnMemory& own, Census* census)
        : arena_(*arena), inherited_(inherited), own_(own), census_(*census) {}

    // Pages of a watched mapping that hold something, in ascending order. `written`: since they
    // were protected.
    void take(uint64_t start, uint64_t end, bool written) {
        if (own_.overlaps(start, end)) return;
        uint64_t inherited_bytes = 0;
        inherited_.intersect(start, end, &cursor_, [&](uint64_t from, uint64_t to) {
            inherited_bytes += to - from;
            if (written) complete_ = census_.copied.append(arena_, from, to) && complete_;
        });
        census_.fresh_pages += (end - start - inherited_bytes) / cpu::kPageBytes;
    }

    // The same where the tracker cannot tell of a write.
    void take_unknown(uint64_t start, uint64_t end) {
        if (own_.overlaps(start, end)) return;
        uint64_t inherited_bytes = 0;
        inherited_.intersect(start, end, &cursor_,
                             [&](uint64_t from, uint64_t to) { inherited_bytes += to - from; });
        census_.unknown_pages += inherited_bytes / cpu::kPageBytes;
        census_.fresh_pages += (end - start - inherited_bytes) / cpu::kPageBytes;
    }

    // Pages of a mapping that came later, perhaps where an inherited one was.
    void take_fresh(uint64_t start, uint64_t end) {
        if (!own_.overlaps(start, end)) census_.fresh_pages += (end - start) / cpu::kPageBytes;
    }

    Arena& arena() { return arena_; }
    bool knows_inherited(uint64_t start, uint64_t end) const {
        return inherited_.overlaps(start, end);
    }

    // False when memory was out: then the census is too small.
    bool complete() const { return complete_; }

  private:
    Arena& arena_;
    const PageRuns& inherited_;
    const OwnMemory& own_;
    Census& census_;
    size_t cursor_ = 0;
    bool complete_ = true;
};

// Whether a mapping can hold inherited pages that the process may yet write: private memory of its
// own. A file's read-only parts are left out; anonymous memory is not, because mprotect may make it
// writable later.
inline bool is_watched(const Mapping& mapping) {
    return mapping.is_private && !mapping.special && (mapping.writable || !mapping.is_file);
}

}  // namespace cowscope::tracker
