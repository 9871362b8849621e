// Where each thread was when its last signal was taken. The handler's own faults leave one more
// signal pending, which strikes before the thread has moved on: it is no lost event.
//
// Not in thread-local storage: that would copy a page of the program's. Callers hold the process's
// lock. Lives in zeroed memory.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace cowscope::witness {

class LastEvents {
  public:
    // The thread that was here longest ago of those that share a set makes room: its pending
    // signal, if there is one, has struck by then, unless so many others ran between two
    // instructions of its own.
    void note(pid_t tid, uint64_t ip, uint64_t sp) {
        Place* set = set_of(tid);
        size_t way = 0;
        while (way != kWays - 1 && set[way].tid != tid) ++way;
        for (; way != 0; --way) set[way] = set[way - 1];
        set[0] = {tid, digest(ip, sp)};
    }
    bool is_last(pid_t tid, uint64_t ip, uint64_t sp) {
        const Place* set = set_of(tid);
        for (size_t way = 0; way != kWays; ++way) {
            if (set[way].tid == tid) return set[way].digest == digest(ip, sp);
        }
        return false;
    }

  private:
    struct Place {
        pid_t tid;  // 0: free
        uint32_t digest;
    };
    static constexpr size_t kSets = 32;
    static constexpr size_t kWays = 4;

    // Of a place in the program: two with one would be taken for one, once in 2^32.
    static uint32_t digest(uint64_t ip, uint64_t sp) {
        return static_cast<uint32_t>((ip * 0x9e3779b97f4a7c15u ^ sp * 0xc2b2ae3d27d4eb4fu) >> 32);
    }
    // Numbers of threads may have any step (a pool's, say): all their bits count.
    Place* set_of(pid_t tid) {
        const uint32_t mixed = static_cast<uint32_t>(tid) * 0x9e3779b1u;
        return places_[mixed >> 27];
    }
    static_assert(kSets == 1 << (32 - 27));

    Place places_[kSets][kWays];
};

}  // namespace cowscope::witness
