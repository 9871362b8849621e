#include "epoch/classify.h"

#include "epoch/blocked_threads.h"
#include "epoch/track.h"

#include "support/poison.h"

namespace cowscope::epoch {

void classify_page(uint64_t page, bool is_fresh) {
    Epoch& epoch = *sharing.epoch;
    epoch.classified_pages.add(page, is_fresh);
    if (epoch.pages_to_classify == 0) return;
    if (--epoch.pages_to_classify == 0 || epoch.classified_pages.is_full()) {
        start_tracking(stack_in_use());
    }
}

void stop_classifying() {
    const Epoch* epoch = sharing.epoch;
    if (epoch != nullptr && epoch->pages_to_classify != 0) {
        start_tracking(stack_in_use());
    }
}

void before_unseen_writes() {
    // Most programs never fork: for them this is one comparison.
    if (sharing.epoch == nullptr || !sharing.epoch->state.is(State::witnessing)) return;
    if (!session::is_current()) return;
    const session::Locked locked;
    stop_classifying();
}

void before_blocking_trap() {
    const Epoch* epoch = sharing.epoch;
    if (epoch == nullptr || !epoch->state.is_watching()) return;
    // Some programs block all signals again and again.
    if (epoch->state.is_listed() && epoch->counts_unseen) return;
    if (!session::is_current()) return;
    const session::Locked locked;
    stop_classifying();
    start_counting_unseen();
}

}  // namespace cowscope::epoch
