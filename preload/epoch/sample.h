// How many of the faults the witness is told of, as time goes by: see witness/sampling.h.
//
// Async-signal-safe. The lock of the session (session/session.h) is held, where nothing else is
// said.
#pragma once

#include "epoch/epoch.h"

namespace cowscope::epoch {

// Sets how many faults the witness is told of, and says so in the trace.
void set_witness_mean(uint32_t mean);

// The next events have this weight; false where that could not be said.
bool write_weight(uint32_t weight);

// The witness was told of a fault, which was recorded or not. In the handler, as the last thing.
void count_fault(bool is_event, const witness::Fault& fault);

}  // namespace cowscope::epoch
