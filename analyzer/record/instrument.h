// What a tracker or a witness is to the recorder and to `cowscope doctor`.
#pragma once

#include <string>
#include <string_view>

#include "record/machine.h"
#include "record/probes.h"

namespace cowscope::record {

// Whether an instrument can be used here, in words for a user.
struct Capability {
    bool ok = false;
    int error = 0;       // errno of the refused step; 0 if ok or if no call failed
    std::string reason;  // why it is missing, or how it was got; may be empty if ok
    std::string remedy;  // the command or setting that allows it; empty if ok
};

struct Instrument {
    std::string_view name;  // in options, variables, reports and JSON
    // Does the real thing once; called by run_contained() (record/contained.h) alone.
    void (*probe)(ProbeOutcome& outcome);
    // Pure: the reason and the remedy, from what the probe returned.
    Capability (*explain)(const ProbeOutcome& outcome, const Machine& machine);
};

}  // namespace cowscope::record
