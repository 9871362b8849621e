// Runs a probe where it can do no harm.
#pragma once

#include "record/probes.h"

namespace cowscope::record {

// Calls `probe` in a forked child with the default dispositions of SIGTRAP and SIGALRM. The probe
// moves outcome.step on as it goes (the memory is shared), so that its death tells the step it was
// at. A probe that takes longer than kProbeSeconds is killed.
inline constexpr unsigned kProbeSeconds = 10;

ProbeOutcome run_contained(void (*probe)(ProbeOutcome& outcome));

}  // namespace cowscope::record
