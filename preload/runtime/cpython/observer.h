// What CPython says of a write: the stack of its frames on this thread, and the object that was
// written. The state of an epoch (runtime/interface.h).
#pragma once

#include "runtime/cpython/frames.h"
#include "runtime/cpython/values.h"

namespace cowscope::cpython {

// Async-signal-safe; callers hold the process's lock, and there is an interpreter, or there was one
// when it was asked last: then nothing is found.
class Observer {
  public:
    runtime::Observation observe(Arena& arena, const RecordSink& sink, const runtime::Write& write,
                                 const runtime::Wanted& wanted);

    // See StackTable; 0 frames where the interpreter's are not known.
    uint32_t count_frames(const runtime::Memory& memory, runtime::CountedFrame* frames,
                          uint32_t limit);
    CodeReader& code_reader() { return *stacks_.code_reader(); }
    const CodeReader& code_reader() const { return *stacks_.code_reader(); }

    // Modules have gone.
    void forget_modules() { types_.forget_static(); }

  private:
    // Sites whose first writes were all to no object write to none (the elements of arrays, say):
    // looking around the address and through the registers is not for every write of theirs.
    static constexpr uint32_t kMostMisses = 32;

    void look_further(Arena& arena, const RecordSink& sink, const runtime::Write& write,
                      Located* located);

    InternTable misses_;  // by site
    bool said_problem_ = false;
    TypeCache types_;
    StackTable stacks_;
    ValueTable values_;
};

}  // namespace cowscope::cpython
