#include "epoch/sole_owner.h"

#include "arch/cpu.h"
#include "epoch/census.h"
#include "epoch/epoch.h"

#include "support/poison.h"

namespace cowscope::epoch {
namespace {

// Asking costs a twentieth of one event while the first page that may be shared still is. All
// further looks together pass each page once.
constexpr uint32_t kFaultsAnAsking = 64;

}  // namespace

void stop_if_sole_owner() {
    Epoch& epoch = *sharing.epoch;
    if (!epoch.state.is(State::tracking)) return;
    if (epoch.faults_before_asking != 0) {
        --epoch.faults_before_asking;
        return;
    }
    epoch.faults_before_asking = kFaultsAnAsking;
    // A child that is being made will share them.
    if (sharing.forks_under_way != 0 || !sharing.look.works()) return;
    epoch.maybe_shared =
        sharing.look.first_shared(epoch.scan_buffer, epoch.inherited, epoch.maybe_shared);
    if (epoch.maybe_shared != cpu::kAddressSpaceEnd) return;
    write_census(trace::CensusKind::alone);
    epoch.copied_when_sole_owner = epoch.census.copied.pages();
    write_account(epoch.census.fresh_pages, epoch.inherited.pages() - epoch.copied_when_sole_owner);
    sharing.trap.close();
    epoch.state.be_sole_owner();
}

}  // namespace cowscope::epoch
