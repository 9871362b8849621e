// The end of sharing: once the others have ended, or have copied everything themselves, what this
// process writes copies nothing, though it still faults once a page. A Python program that takes
// its objects down after its workers have gone writes to all of them: a signal for each would cost
// as much as all copies before, and tell nothing.

#include "epoch/process.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

// Asking costs a twentieth of one event while the first page that may be shared still is. All
// further looks together pass each page once.
constexpr uint32_t kFaultsAnAsking = 64;

}  // namespace

void stop_if_alone() {
    Tracked& tracked = *process.tracked;
    if (tracked.stage != Stage::tracking || !tracked.is_protected) return;
    if (tracked.faults_until_asking != 0) {
        --tracked.faults_until_asking;
        return;
    }
    tracked.faults_until_asking = kFaultsAnAsking;
    // A child that is being made will share them.
    if (process.forks_under_way != 0 || !process.look.works()) return;
    tracked.maybe_shared =
        process.look.first_shared(tracked.scan_buffer, tracked.inherited, tracked.maybe_shared);
    if (tracked.maybe_shared != tracker::kAddressSpaceEnd) return;
    write_census(trace::CensusKind::alone);
    tracked.copied_when_alone = tracked.census.copied.pages();
    write_account(tracked.census.fresh_pages,
                  tracked.inherited.pages() - tracked.copied_when_alone);
    process.trap.close();
    tracked.stage = Stage::off;
    tracked.is_protected = false;
    tracked.is_alone = true;
}

}  // namespace cowscope::process
