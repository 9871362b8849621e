// The frames of the last walk over a Python stack. Most writes have the stack of the one before, or
// one with another innermost line: then nothing has to be looked for again. Lives in zeroed memory.
#pragma once

#include <cstdint>

#include "runtime/cpython/code_identity.h"

namespace cowscope::cpython {

class LastFrames {
  public:
    struct Frame {
        uint64_t address;
        uint64_t code;  // 0: it runs none of Python's
        CodeIdentity identity;
        uint32_t code_id;

        // Whether it runs the same code object still, whose memory is there as it was.
        bool runs(uint64_t wanted, SameCode* same) const {
            return wanted != 0 && code == wanted && same->is(identity, code);
        }
    };

    // `memory_version`: as that of ReadablePages. Where it is another than the last walk's, memory
    // may have gone, and nothing is known.
    void begin(uint64_t memory_version) {
        if (memory_version != memory_version_) count_ = 0;
        memory_version_ = memory_version;
    }
    // Their code objects lie all over the heap, and the program has pushed them out of the caches:
    // to ask for them all at once takes as long as for one. Where there is none any more, that is
    // nothing.
    void prefetch() const {
        const Layout& layout = *interpreter().layout;
        constexpr uint64_t kLine = 64;  // of the cache
        uint64_t last_file = 0;
        for (uint32_t i = 0; i < count_; ++i) {
            const uint64_t code = frames_[i].code;
            const CodeIdentity& identity = frames_[i].identity;
            __builtin_prefetch(reinterpret_cast<const void*>(code + layout.code_first_line));
            __builtin_prefetch(reinterpret_cast<const void*>(code + layout.code_line_table));
            if (identity.version != 0) continue;
            __builtin_prefetch(reinterpret_cast<const void*>(identity.name + kStrHash));
            if (identity.file == last_file) continue;
            last_file = identity.file;
            __builtin_prefetch(reinterpret_cast<const void*>(identity.file + kStrLength));
            __builtin_prefetch(reinterpret_cast<const void*>(identity.file + kStrLength + kLine));
        }
    }
    // What was found at this step of the last walk, innermost first, whose memory is there; nullptr
    // where it was another frame.
    const Frame* find(uint32_t step, uint64_t address) const {
        return step < count_ && frames_[step].address == address ? &frames_[step] : nullptr;
    }
    // The first walk that differs sets the steps one by one from there.
    void set(uint32_t step, const Frame& frame) {
        if (step > count_ || step >= kMost) return;
        frames_[step] = frame;
        if (step == count_) ++count_;
    }

  private:
    static constexpr uint32_t kMost = 64;

    uint64_t memory_version_;
    uint32_t count_;
    Frame frames_[kMost];
};

}  // namespace cowscope::cpython
