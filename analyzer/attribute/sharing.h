// Who shared a page with whom, and when: a write to a page that no other process maps any more is
// no copy, because the kernel lets the process have it as it is (mm/memory.c, do_wp_page()).
//
// Two processes share a page while the last write to it, as far as each of them goes back through
// its ancestors, is the same one. What the witness did not see counts as not written.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "trace/trace.h"

namespace cowscope::attribute {

class Sharing {
  public:
    // Reads the events of every process.
    explicit Sharing(const trace::Trace& trace);

    // Whether another process had trace.processes[process]'s page at that time. `own_write_ns`: of
    // the process's last write to that page before, or 0.
    bool is_shared(size_t process, uint64_t page, uint64_t time_ns, uint64_t own_write_ns) const;

    // The pages that the parent and the children of a process wrote, each once, ascending. Nothing
    // where some of their events stand for more than themselves.
    std::optional<std::vector<uint64_t>> written_by_kin(size_t process) const;

  private:
    struct Write {
        uint64_t page;
        uint64_t time_ns;
        bool operator<(const Write& other) const {
            return page != other.page ? page < other.page : time_ns < other.time_ns;
        }
    };
    struct Member {
        std::vector<Write> writes;  // sorted
        size_t parent = kNone;
        size_t family = 0;     // index of the ancestor that was not forked
        uint64_t fork_ns = 0;  // when it began to share
        uint64_t end_ns = 0;
        bool is_sampled = false;
    };
    // The write that a page's content in one process comes from.
    struct Origin {
        size_t process;
        uint64_t time_ns;
        bool operator==(const Origin& other) const = default;
    };
    static constexpr size_t kNone = ~size_t{0};

    Origin origin(size_t process, uint64_t page, uint64_t before_ns) const;
    bool has_it(size_t process, uint64_t page, uint64_t time_ns, const Origin& from) const;

    std::vector<Member> members_;                // as trace.processes
    std::vector<std::vector<size_t>> families_;  // members, by index of the ancestor
};

}  // namespace cowscope::attribute
