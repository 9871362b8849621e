// The notes of a report: what it lacks, why, and how to get it.
#pragma once

#include "attribute/report_model.h"
#include "trace/trace.h"

namespace cowscope::attribute {

// How long at most the process went on behind its last census; 0 where there is none.
uint64_t census_age_ns(const trace::ProcessTrace& process);

// Adds to report->notes, which may hold the recorder's own already.
void add_notes(const trace::Trace& trace, Report* report);

}  // namespace cowscope::attribute
