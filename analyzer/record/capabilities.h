// What this kernel, container and user allow, in words for a user.
#pragma once

#include <string>

#include "record/machine.h"
#include "record/options.h"
#include "record/probes.h"

namespace cowscope::record {

struct Capability {
    bool ok = false;
    int error = 0;       // errno of the refused step; 0 if ok or if no call failed
    std::string reason;  // why it is missing, or how it was got; may be empty if ok
    std::string remedy;  // the command or setting that allows it; empty if ok
};

struct Capabilities {
    Capability userfaultfd;
    Capability soft_dirty;
    Capability trap;
};

// Runs every probe; takes a few milliseconds.
Capabilities probe_capabilities(const Machine& machine);

// The reasons and remedies alone, from what a probe returned.
Capability explain_userfaultfd(const ProbeOutcome& outcome, const Machine& machine);
Capability explain_soft_dirty(const ProbeOutcome& outcome, const Machine& machine);
Capability explain_trap(const ProbeOutcome& outcome, const Machine& machine);

// The best that `auto` can take here, with a shim of this version.
TrackerChoice best_tracker(const Capabilities& capabilities);
WitnessChoice best_witness(const Capabilities& capabilities);

// The capability behind a choice, which is neither automatic nor off.
const Capability& capability_of(const Capabilities& capabilities, TrackerChoice tracker);

}  // namespace cowscope::record
