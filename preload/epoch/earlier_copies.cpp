#include "epoch/earlier_copies.h"

#include "arch/cpu.h"
#include "epoch/epoch.h"
#include "tracker/own_writes.h"

#include "support/poison.h"

namespace cowscope::epoch {
namespace {

// Each arena of another thread's begins so (malloc/arena.c, HEAP_MAX_SIZE).
constexpr uint64_t kArenaAlignment = uint64_t{64} << 20;
// A child has so many faults by then in any case: on its stack, in libc's data and first looks at
// code.
constexpr uint64_t kUsualFaults = 32;

// What other threads of the parent have copied since the fork the child has to itself as well.
void keep_own_writes() {
    Epoch& epoch = *sharing.epoch;
    tracker::OwnWrites writes(&sharing.look);
    epoch.unseen.clear();
    for (const trace::PageRun& run : epoch.earlier.runs()) {
        for (uint64_t i = 0; i < run.pages; ++i) {
            const uint64_t page = run.start + i * cpu::kPageBytes;
            if (!writes.include(page)) continue;
            epoch.unseen.append(epoch.arena, page, page + cpu::kPageBytes);
        }
    }
    const tracker::PageRuns all = epoch.earlier;
    epoch.earlier = epoch.unseen;
    epoch.unseen = all;
}

}  // namespace

void find_earlier_copies() {
    Epoch& epoch = *sharing.epoch;
    epoch.earlier.clear();
    if (!sharing.look.works()) return;
    const auto take = [&](uint64_t start, uint64_t end) {
        sharing.look.list_copied(epoch.arena, epoch.scan_buffer, {start, end}, epoch.own,
                                 &epoch.earlier);
    };
    for (const Mapping& mapping : known_mappings) {
        const bool may_be_arena = mapping.start % kArenaAlignment == 0 && mapping.is_private &&
                                  mapping.writable && !mapping.is_file;
        if (may_be_arena) take(mapping.start, mapping.start + cpu::kPageBytes);
    }
    // Pages are asked one by one only where something has written to many.
    if (sharing.faults_at_entry > kUsualFaults + epoch.earlier.pages()) {
        epoch.earlier.clear();
        take(0, cpu::kAddressSpaceEnd);
    }
    keep_own_writes();
}

}  // namespace cowscope::epoch
