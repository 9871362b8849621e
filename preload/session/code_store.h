// The code objects that are named after the bound of a recording: an index and room for texts in a
// file (aggregate_format.h), written by all processes of a program at once. What is in it stays;
// once it is full, nothing is added.
//
// Thread and signal safety: async-signal-safe, for several threads and processes at once. A process
// that is killed in the midst of it takes at most one entry and the room for one text with it. What
// the file holds is not trusted.
#pragma once

#include <cstdint>

#include "format/aggregate_format.h"

namespace cowscope::session {

class CodeStore {
  public:
    static constexpr uint32_t kMostProbes = 64;

    // `codes` and `texts` were zero when their file was made. `texts_used` counts the bytes taken.
    CodeStore(trace::AggregateCode* codes, uint32_t code_count, unsigned char* texts,
              uint64_t text_bytes, uint64_t* texts_used)
        : codes_(codes),
          code_count_(code_count),
          texts_(texts),
          text_bytes_(text_bytes),
          texts_used_(texts_used) {}

    // What is left is for what matters most.
    bool is_half_full() const;

    // The number of the entry that `key` has, from 1 on; 0 where it has none.
    uint32_t find(uint64_t key) const;

    // Room for a text, aligned as a record is, that nobody else writes to; nullptr where there is
    // none.
    void* take_room(uint64_t bytes);

    // The number of an entry for `key` with the text that was written to `room`. 0 where there is
    // no free one. Another process may have been first: its entry stands then, and the room is
    // lost.
    uint32_t add(uint64_t key, const void* room);

  private:
    // The slot that `key` has, or would have, at its `probe`th try.
    uint32_t slot_of(uint64_t key, uint32_t probe) const;

    trace::AggregateCode* codes_;
    uint32_t code_count_;
    unsigned char* texts_;
    uint64_t text_bytes_;
    uint64_t* texts_used_;
};

}  // namespace cowscope::session
