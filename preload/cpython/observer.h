// What CPython says of a write: the Python stack of the thread, and the object that was written.
#pragma once

#include "cpython/frames.h"
#include "cpython/values.h"

namespace cowscope::cpython {

struct Observation {
    uint32_t python_stack = trace::kNoPythonStack;
    Located object;
};

// Async-signal-safe; callers hold the process's lock. Costs one comparison where the process has
// no interpreter.
class Observer {
  public:
    // `words`: what was read at `address`; `limit`: frames.
    Observation observe(Arena& arena, segment::Writer* writer, uint64_t address,
                        const uint64_t (&words)[2], uint32_t limit);
    void record_value(Arena& arena, segment::Writer* writer, uint32_t site, uint64_t address,
                      const Observation& observation);

  private:
    bool said_problem_ = false;
    TypeCache types_;
    StackTable stacks_;
    ValueTable values_;
};

}  // namespace cowscope::cpython
