// Of a fault an event is recorded, or, once the recording has reached its size limit, counted for
// its call site. Rules: witness/handler.h.
#pragma once

#include "epoch/epoch.h"
#include "witness/fault.h"

namespace cowscope::epoch {

// Whether it was recorded, or counted. The lock is held.
bool record_copy(Epoch& epoch, witness::Fault& fault);

}  // namespace cowscope::epoch
