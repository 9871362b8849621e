// Which trackers and witnesses this kernel, container and user allow.
#pragma once

#include <vector>

#include "record/choice.h"

namespace cowscope::record {

struct Probed {
    const Instrument* instrument = nullptr;
    Capability capability;
};

struct Capabilities {
    std::vector<Probed> trackers;  // in the order of the list of instruments
    std::vector<Probed> witnesses;
};

// Runs every probe; takes a few milliseconds.
Capabilities probe_capabilities(const Machine& machine);

// The best that `auto` can take here, with a shim of this version; off where none can be used.
Choice best_of(const std::vector<Probed>& probed);

}  // namespace cowscope::record
