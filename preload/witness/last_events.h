// Where each thread was when its last event was recorded. The handler's own faults leave one more
// signal pending, which strikes before the thread has moved on: it is no lost event.
//
// Not in thread-local storage: that would copy a page of the program's. Threads that share a slot
// may have such a signal taken for a lost event. Callers hold the process's lock.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace cowscope::witness {

class LastEvents {
  public:
    void note(pid_t tid, uint64_t ip, uint64_t sp) { slot(tid) = {ip, sp}; }
    bool is_last(pid_t tid, uint64_t ip, uint64_t sp) {
        return slot(tid).ip == ip && slot(tid).sp == sp;
    }

  private:
    struct Place {
        uint64_t ip;
        uint64_t sp;
    };
    static constexpr size_t kSlots = 64;

    Place& slot(pid_t tid) { return places_[static_cast<size_t>(tid) % kSlots]; }

    Place places_[kSlots];
};

}  // namespace cowscope::witness
