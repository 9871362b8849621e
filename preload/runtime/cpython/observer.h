// What CPython says of a write: the Python stack of the thread, and the object that was written.
#pragma once

#include "runtime/cpython/frames.h"
#include "runtime/cpython/values.h"

namespace cowscope::cpython {

struct Observation {
    uint32_t python_stack = trace::kNoPythonStack;
    Located object;
};

struct Write {
    uint64_t address;
    uint64_t words[2];  // what was read there
    // What can be read from here up to the address can be as long as it is looked at.
    uint64_t stays_from;
    uint32_t site;
    Memory memory;
    uint64_t registers[trace::kRegisterCount];
};

// Async-signal-safe; callers hold the process's lock. Costs one comparison where the process has
// no interpreter.
class Observer {
  public:
    // `limit`: frames.
    Observation observe(Arena& arena, session::Writer* writer, const Write& write, uint32_t limit);
    void record_value(Arena& arena, session::Writer* writer, const Write& write,
                      const Observation& observation);

    // Some time before observe(), which then takes less.
    void prefetch() const {
        if (interpreter().layout != nullptr) stacks_.prefetch();
    }

    // See StackTable; 0 frames where the interpreter's are not known.
    uint32_t capture_counted(const Memory& memory, CountedFrame* frames, uint32_t limit);
    CodeReader* code_reader() { return stacks_.code_reader(); }

    // Modules have gone.
    void forget_modules() { types_.forget_static(); }

  private:
    // Sites whose first writes were all to no object write to none (the elements of arrays, say):
    // looking around the address and through the registers is not for every write of theirs.
    static constexpr uint32_t kMostMisses = 32;

    void look_further(Arena& arena, session::Writer* writer, const Write& write, Located* located);

    InternTable misses_;  // by site
    bool said_problem_ = false;
    TypeCache types_;
    StackTable stacks_;
    ValueTable values_;
};

}  // namespace cowscope::cpython
