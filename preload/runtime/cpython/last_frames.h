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
