#include "record/capabilities.h"

#include "record/contained.h"

namespace cowscope::record {

namespace {

std::vector<Probed> probe_all(Instruments instruments, const Machine& machine) {
    std::vector<Probed> probed;
    for (const Instrument* instrument : instruments) {
        const ProbeOutcome outcome = run_contained(instrument->probe);
        probed.push_back({instrument, instrument->explain(outcome, machine)});
    }
    return probed;
}

}  // namespace

Capabilities probe_capabilities(const Machine& machine) {
    return {probe_all(trackers(), machine), probe_all(witnesses(), machine)};
}

Choice best_of(const std::vector<Probed>& probed) {
    for (const Probed& each : probed) {
        if (each.capability.ok) return Choice(*each.instrument);
    }
    return Choice::off();
}

}  // namespace cowscope::record
