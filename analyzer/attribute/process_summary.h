// One process as a report lists it.
#pragma once

#include "attribute/attribution.h"
#include "attribute/report_model.h"

namespace cowscope::attribute {

ProcessSummary summary_of(const trace::Trace& trace, const RunFacts& run, size_t index,
                          const Copies& copies);

}  // namespace cowscope::attribute
