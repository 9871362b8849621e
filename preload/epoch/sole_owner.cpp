// The end of sharing: once the others have ended, or have copied everything themselves, what this
// process writes copies nothing, though it still faults once a page. A Python program that takes
// its objects down after its workers have gone writes to all of them: a signal for each would cost
// as much as all copies before, and tell nothing.

#include "epoch/epoch.h"

#include "support/poison.h"

namespace cowscope::epoch {
namespace {

// Asking costs a twentieth of one event while the first page that may be shared still is. All
// further looks together pass each page once.
constexpr uint32_t kFaultsAnAsking = 64;

}  // namespace

void stop_if_alone() {
    Epoch& epoch = *sharing.epoch;
    if (epoch.stage != Stage::tracking || !epoch.is_protected) return;
    if (epoch.faults_until_asking != 0) {
        --epoch.faults_until_asking;
        return;
    }
    epoch.faults_until_asking = kFaultsAnAsking;
    // A child that is being made will share them.
    if (sharing.forks_under_way != 0 || !sharing.look.works()) return;
    epoch.maybe_shared =
        sharing.look.first_shared(epoch.scan_buffer, epoch.inherited, epoch.maybe_shared);
    if (epoch.maybe_shared != tracker::kAddressSpaceEnd) return;
    write_census(trace::CensusKind::alone);
    epoch.copied_when_alone = epoch.census.copied.pages();
    write_account(epoch.census.fresh_pages, epoch.inherited.pages() - epoch.copied_when_alone);
    sharing.trap.close();
    epoch.stage = Stage::off;
    epoch.is_protected = false;
    epoch.is_alone = true;
}

}  // namespace cowscope::epoch
