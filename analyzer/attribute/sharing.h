// Who shared a page with whom, and when: a write to a page that no other process maps any more is
// no copy, because the kernel lets the process have it as it is (mm/memory.c, do_wp_page()).
//
// A page's content comes from somewhere: a process wrote it, or first had it there. A fork gives
// the child the same content, and each of the two leaves it behind when it writes the page, gives
// it up or ends. Of all that ever have one content, the last to leave it is the only one whose
// write copies nothing. So it is enough to know, for each content, when the last one leaves.
//
// The cost is n log n in writes and ranges. For each content those processes are asked who lived
// longest, until one is found that kept it so long.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "attribute/range_times.h"
#include "trace/page_set.h"

namespace cowscope::attribute {

inline constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();

class Sharing {
  public:
    // Fed first, in any order but that a process comes behind the one that forked it. `fork_ns`:
    // when it began to share. Returns its index, which counts from 0.
    size_t add_process(std::optional<size_t> parent, uint64_t fork_ns, uint64_t end_ns);
    // The process wrote to the page, or had a new one there. Each once.
    void wrote(size_t process, uint64_t page, uint64_t time_ns);
    void reserve_writes(size_t process, size_t count) { members_[process].writes.reserve(count); }
    // It unmapped, discarded or moved the range, or something else came to its place.
    void gave_up(size_t process, const trace::PageRun& range, uint64_t time_ns);
    // It had exactly these pages when it began to share them at `shared_ns`, as was found at
    // `listed_ns`. In the order of time. `pages` must live until settle(), and that of a process's
    // first list as long as this.
    void had(size_t process, const trace::PageSet& pages, uint64_t shared_ns, uint64_t listed_ns);

    // Once, when all is said.
    void settle();

    // Whether another process had the page when it was written, by one of the writes that were fed.
    bool is_shared(size_t process, uint64_t page, uint64_t time_ns) const;

    // The pages that the parent and the children of a process wrote, each once, ascending.
    std::vector<uint64_t> written_by_kin(size_t process) const;
    const std::vector<size_t>& children(size_t process) const { return members_[process].children; }

  private:
    static constexpr size_t kNone = ~size_t{0};
    // Of an Origin: nobody had the page at that address.
    static constexpr uint64_t kMovedThere = kForever;

    struct Write {
        uint64_t page;
        uint64_t time_ns;
        bool operator<(const Write& other) const {
            return page != other.page ? page < other.page : time_ns < other.time_ns;
        }
    };
    struct List {
        const trace::PageSet* pages;
        uint64_t shared_ns;
        uint64_t listed_ns;
    };
    struct Member {
        std::vector<Write> writes;        // sorted
        std::vector<bool> shared_writes;  // as `writes`
        RangeTimes gave_up;               // as it was told
        RangeTimes left;                  // the same, and what its lists tell
        RangeTimes came;                  // what was new to it
        std::vector<std::pair<trace::PageRun, uint64_t>> discarded;
        std::vector<List> lists;
        std::vector<size_t> children;  // by fork_ns
        size_t parent = kNone;
        uint64_t fork_ns = 0;
        uint64_t end_ns = 0;
        // Of a walk over the tree, parents first and children in the order of their forks: whoever
        // was forked within some time by one process stands in one piece.
        size_t position = 0;
        size_t tree_end = 0;
    };
    // Where a page's content in one process comes from.
    struct Origin {
        size_t process;
        uint64_t time_ns;  // 0: it was there before anything is known
        bool operator==(const Origin& other) const = default;
    };

    void find_changes(Member* member);
    void order_processes();
    void find_shared_writes();

    bool has_write(const Member& member, uint64_t page, uint64_t until_ns) const;
    static std::vector<List>::const_iterator first_list_from(const Member& member,
                                                             uint64_t time_ns);
    static bool lacks(const Member& member, const List& list, uint64_t page);
    bool never_had(const Member& member, uint64_t page) const;
    // When the process is known last, before that time, not to have had the page; 0: at no time.
    uint64_t last_lack(const Member& member, uint64_t page, uint64_t before_ns) const;
    std::optional<Origin> origin(size_t writer, uint64_t page, uint64_t before_ns) const;
    // Whether a child was forked behind the one time and before the other.
    bool has_forked(const Member& member, uint64_t from_ns, uint64_t until_ns) const;
    // When a process stops to have what it has of that page since `since_ns`.
    uint64_t leave_of(const Member& member, uint64_t page, uint64_t since_ns) const;
    uint64_t leave_inherited(const Member& member, uint64_t page) const;
    uint64_t last_leave(uint64_t page, const Origin& from) const;
    // The first child that was forked behind that time; and its position.
    std::vector<size_t>::const_iterator child_after(const Member& member, uint64_t time_ns) const;
    size_t first_forked_after(const Member& member, uint64_t time_ns) const;
    // In [low, high), which is not empty: position of who ends last.
    size_t ends_last(size_t low, size_t high) const;

    std::vector<Member> members_;
    std::vector<size_t> at_position_;  // index of the member
    std::vector<size_t> latest_;       // tree over positions: position of who ends last
};

}  // namespace cowscope::attribute
