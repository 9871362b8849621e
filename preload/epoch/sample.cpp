// How many of the faults the witness is told of, as time goes by: see witness/sampling.h.

#include "epoch/process.h"
#include "witness/fault.h"

#include "support/poison.h"

namespace cowscope::process {

bool write_weight(uint32_t weight) {
    Tracked& tracked = *process.tracked;
    if (tracked.written_weight == weight) return true;
    auto* record = process.writer.begin<trace::WeightRecord>(trace::RecordType::weight);
    if (record == nullptr) return false;
    record->weight = weight;
    record->padding = 0;
    process.writer.commit();
    tracked.written_weight = weight;
    return true;
}

void set_witness_mean(uint32_t mean) {
    if (!process.trap.is_open() || process.trap.mean() == mean) return;
    // Where it fails, the witness goes on as it was.
    if (process.trap.reopen(mean, &process.tracked->sampling) == 0) write_weight(mean);
}

void count_fault(bool is_event, const witness::Fault& fault) {
    stop_if_alone();
    witness::Sampling& sampling = process.tracked->sampling;
    // In a new generation the witness may tell of every fault for a while. And before a fork has
    // shared them, pages cannot be listed.
    const bool may_rise =
        process.trap.mean() == sampling.mean() && !process.tracked->is_before_fork;
    if (may_rise && sampling.count(is_event)) {
        // What is not told is known by a census alone.
        stop_judging_by_page();
        const uint32_t before = sampling.mean();
        sampling.rise();
        set_witness_mean(sampling.mean());
        if (process.trap.mean() == before) sampling.stay(before);
        return;
    }
    // Of one that was told before all were opened anew nothing follows.
    if (fault.weight == process.trap.mean()) {
        process.trap.set_gap(fault.event_index, fault.tid, &sampling);
    }
}

}  // namespace cowscope::process
