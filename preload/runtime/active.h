// The runtime that is asked in this process, and what is remembered of it in an epoch.
//
// One at a time: the first of the table that is found. Where a program holds two that are to be
// asked (an interpreter in another's extension), `active` becomes a list, a fault asks the one
// whose code is innermost on its native stack, and an event says whose its stack is.
//
// Callers hold the session's lock but for find_first(), which is the only one that is not
// async-signal-safe either, and is_active().
#pragma once

#include "runtime/interface.h"

namespace cowscope::runtime {

extern constinit Presence active;

inline bool is_active() {
    return active.runtime != nullptr;
}

// Looks for one of `members` (runtime/find.h).
template <size_t Count>
bool find_first(const Runtime* const (&members)[Count], Found* found) {
    for (const Runtime* member : members) {
        *found = {};
        if (!member->find(found)) continue;
        found->presence.runtime = member;
        return true;
    }
    return false;
}

// From here on this one is asked; with nullptr none is, because it may be unloaded: nothing of it
// is called or read any more.
void activate(const Found* found);

// Part of an epoch. Lives in zeroed memory, and forgets nothing while its runtime is away: one that
// is back where it was is the same.
class Observer {
  public:
    // Before anything else but forget_modules(): false where there is nobody to ask, or no memory.
    bool begin(Arena& arena) {
        if (active.runtime == nullptr) return false;
        if (runtime_ != active.runtime) {
            state_ = active.runtime->create(arena);
            runtime_ = state_ == nullptr ? nullptr : active.runtime;
        }
        return runtime_ != nullptr;
    }

    // These are the runtime's.
    Observation observe(Arena& arena, const RecordSink& sink, const Write& write,
                        const Wanted& wanted) {
        return runtime_->observe(state_, arena, sink, write, wanted);
    }
    uint32_t count_frames(const Memory& memory, CountedFrame* frames, uint32_t limit) {
        return runtime_->count_frames(state_, memory, frames, limit);
    }
    bool read_code(uint64_t code, uint64_t most_line_bytes, CodeText* text) {
        return runtime_->read_code(state_, code, most_line_bytes, text);
    }
    bool write_code(trace::RuntimeCodeRecord* record) const {
        return runtime_->write_code(state_, record);
    }
    void forget_modules() {
        if (runtime_ != nullptr) runtime_->forget_modules(state_);
    }

  private:
    const Runtime* runtime_;
    void* state_;
};

}  // namespace cowscope::runtime
