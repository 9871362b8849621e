// Where a witness hands the faults to that it tells of. epoch/fault_sink.cpp defines it.
//
// Async-signal-safe; rules: witness/handler.h.
#pragma once

#include "format/kernel_abi.h"
#include "witness/fault.h"

namespace cowscope::witness {

// False where this very thread is in the sink already: see its definition.
bool is_sink_free();

// One of the witness's signals was delivered. All of `fault` is filled in but what the sink finds
// out. The lock is not held.
void take_fault(const kernel::PerfSiginfo& signal, Fault* fault);

// Counts a signal of the witness's that the host has taken out of what is pending. The lock is
// held.
void count_late(const kernel::PerfSiginfo& signal);

}  // namespace cowscope::witness
