// The mappings that are new since the soft-dirty bits were cleared, or were merged with new memory
// since then: the kernel marks them as a whole ("sd" among their VmFlags in /proc/PID/smaps), and
// every page of such a mapping reads as written, whether it was or not.
//
// The heap grows by merging, and mmap() puts new memory beside what is there: both merge where the
// process made that memory itself. A forked child's copy of its parent's memory merges with nothing
// (mm/mmap.c, is_mergeable_anon_vma()).
#pragma once

#include "support/arena.h"
#include "support/own_memory.h"

namespace cowscope::tracker {

class NewMappings {
  public:
    // What was read may have changed.
    void forget() { is_read_ = false; }

    // Whether `address` is in one. Reads smaps when it was not read yet, which takes up to 100 ns
    // for each page that the process has; false where it cannot be read. `scratch` holds a line
    // with a path, 4 KiB, and more.
    bool contain(Arena& arena, char* scratch, size_t scratch_bytes, uint64_t address);

  private:
    int read(Arena& arena, char* scratch, size_t scratch_bytes);
    void take_line(Arena& arena, const char* line, AddressRange* mapping);

    ArenaArray<AddressRange> ranges_;
    bool is_read_ = false;
};

}  // namespace cowscope::tracker
