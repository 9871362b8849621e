// The Python stack of the thread that stands in the fault handler.
#pragma once

#include "runtime/cpython/codes.h"
#include "runtime/cpython/last_frames.h"
#include "runtime/interface.h"
#include "support/intern_table.h"
#include "support/readable.h"

namespace cowscope::cpython {

// Async-signal-safe; callers hold the process's lock, and interpreter().layout is not null.
//
// A thread's own frames, and the code objects that they run, live as long as the thread stands
// still. But what names the innermost of them may be stale: the thread state at the end of the
// interpreter, a frame that is being set up or taken down, one that was left by longjmp() or on a
// stack that is gone. So every page is checked to be readable, anew where memory may have gone
// since, and each time where frames of C's lie on another stack than the main thread's.
class StackTable {
  public:
    // Id of the stack, innermost `limit` frames; trace::kNoRuntimeStack where this thread runs no
    // Python, or its stack could not be read. Afterwards holds_address() says whether `address`
    // lies in a frame of it.
    uint32_t capture(Arena& arena, const RecordSink& sink, uint64_t address,
                     const runtime::Memory& memory, uint32_t limit);
    bool holds_address() const { return holds_address_; }

    // The same without a trace: fills `frames` with the innermost ones, at most `limit`. Returns
    // how many.
    uint32_t capture_counted(const runtime::Memory& memory, runtime::CountedFrame* frames,
                             uint32_t limit);

    CodeReader* code_reader() { return codes_.reader(); }
    const CodeReader* code_reader() const { return codes_.reader(); }

  private:
    static constexpr uint32_t kMaxDepth = trace::kMaxStackDepth;
    // So many stacks in a row that could not be read, and never one that could: not our layout.
    static constexpr uint32_t kMostFailures = 64;
    // Frames of C that stand between Python frames count too, so that a walk ends.
    static constexpr uint32_t kMostSteps = 2 * kMaxDepth;

    void begin(const runtime::Memory& memory);
    // The thread's innermost frame; 0 where it has none.
    uint64_t find_innermost(uint64_t thread);
    bool is_own_thread(uint64_t thread);
    uint64_t own_thread(runtime::InCode in_code);
    struct Frame {
        uint32_t step;  // of the walk
        uint64_t address;
        uint64_t code;
        int32_t instruction_offset;
        bool is_entered_from_c;
        const LastFrames::Frame* known;  // nullptr where the last walk found something else here
    };
    // Hands take(Frame) each frame of Python's, innermost first, which add()s it and says whether
    // it could. False where something is not as it should be.
    template <typename Take>
    bool walk(uint64_t innermost, uint64_t address, uint32_t limit, Take&& take);
    void add(uint64_t frame) {
        if (frames_[depth_] != frame) is_another_ = true;
        frames_[depth_++] = frame;
    }
    // The number of its code object; CodeTable::kNoCode where it has none.
    uint32_t learn(Arena& arena, const RecordSink& sink, const Frame& frame);
    bool in_stack_chunk(uint64_t thread, uint64_t address);
    bool is_there(uint64_t address, uint64_t bytes) const;
    bool has_frame(uint64_t frame);
    bool is_code(uint64_t code);
    int32_t instruction_offset(uint64_t frame, uint64_t code) const;
    uint32_t intern(Arena& arena, const RecordSink& sink);
    void see_thread(Arena& arena, const RecordSink& sink, uint64_t thread);

    CodeTable codes_;
    InternTable stacks_;
    InternTable threads_;
    LastFrames last_;
    uint32_t depth_ = 0;
    bool truncated_ = false;
    bool is_another_ = false;      // than the stack that was interned last
    uint32_t interned_depth_ = 0;  // of that; 0: frames_ do not hold it
    uint32_t interned_id_ = 0;
    bool holds_address_ = false;
    ReadablePages readable_;
    AddressRange stack_ = {};
    bool worked_ = false;
    bool gave_up_ = false;
    uint32_t failures_ = 0;
    // RuntimeFrames, one a word: the code's id in the low half.
    uint64_t frames_[kMaxDepth];
};

}  // namespace cowscope::cpython
