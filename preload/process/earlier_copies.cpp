// What a forked child has copied before the shim's first call in it: libc's fork() itself
// initialises the locks of malloc's arenas and of open files anew, and the pthread_atfork handlers
// of libraries that were initialised earlier run first. No witness is there yet, and no page is
// protected. What the child has to itself by then and its parent has too was copied.

#include "process/process.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

// Each arena of another thread's begins so (malloc/arena.c, HEAP_MAX_SIZE).
constexpr uint64_t kArenaAlignment = uint64_t{64} << 20;
// A child has so many faults by then in any case: on its stack, in libc's data and first looks at
// code.
constexpr uint64_t kUsualFaults = 32;

}  // namespace

void find_earlier_copies() {
    Tracked& tracked = *process.tracked;
    tracked.earlier.clear();
    if (!process.look.works()) return;
    const auto take = [&](uint64_t start, uint64_t end) {
        process.look.list_copied(tracked.arena, tracked.scan_buffer, {start, end}, tracked.own,
                                 &tracked.earlier);
    };
    for (const Mapping& mapping : known_mappings) {
        const bool may_be_arena = mapping.start % kArenaAlignment == 0 && mapping.is_private &&
                                  mapping.writable && !mapping.is_file;
        if (may_be_arena) take(mapping.start, mapping.start + tracker::kPageBytes);
    }
    // Pages are asked one by one only where something has written to many.
    if (process.faults_at_entry <= kUsualFaults + tracked.earlier.pages()) return;
    tracked.earlier.clear();
    take(0, tracker::kAddressSpaceEnd);
}

}  // namespace cowscope::process
