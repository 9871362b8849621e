#include "epoch/sample.h"

#include "epoch/classify.h"
#include "epoch/epoch.h"
#include "epoch/sole_owner.h"
#include "session/session.h"
#include "witness/fault.h"

#include "support/poison.h"

namespace cowscope::epoch {

bool write_weight(uint32_t weight) {
    Epoch& epoch = *sharing.epoch;
    if (epoch.written_weight == weight) return true;
    auto* record = session::self.writer.begin<trace::WeightRecord>(trace::RecordType::weight);
    if (record == nullptr) return false;
    record->weight = weight;
    record->padding = 0;
    session::self.writer.commit();
    epoch.written_weight = weight;
    return true;
}

void set_witness_mean(uint32_t mean) {
    if (!sharing.trap.is_open() || sharing.trap.mean() == mean) return;
    // Where it fails, the witness goes on as it was.
    if (sharing.trap.reopen(mean, &sharing.epoch->sampling) == 0) write_weight(mean);
}

void count_fault(bool is_event, const witness::Fault& fault) {
    stop_if_sole_owner();
    witness::Sampling& sampling = sharing.epoch->sampling;
    // In a new epoch the witness may tell of every fault for a while. And before a fork has
    // shared them, pages cannot be listed.
    const bool may_rise = sharing.trap.mean() == sampling.mean() && !sharing.epoch->is_before_fork;
    if (may_rise && sampling.count(is_event)) {
        // What is not told is known by a census alone.
        stop_classifying();
        const uint32_t before = sampling.mean();
        sampling.rise();
        set_witness_mean(sampling.mean());
        if (sharing.trap.mean() == before) sampling.stay(before);
        return;
    }
    // Of one that was told before all were opened anew nothing follows.
    if (fault.weight == sharing.trap.mean()) {
        sharing.trap.set_gap(fault.event_index, fault.tid, &sampling);
    }
}

}  // namespace cowscope::epoch
