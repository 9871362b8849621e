// The notes of a report: what it lacks, why, and how to get it.
#pragma once

#include "attribute/report_model.h"
#include "trace/trace.h"

namespace cowscope::attribute {

// Adds to report->notes, which may hold the recorder's own already.
void add_notes(const trace::Trace& trace, Report* report);

}  // namespace cowscope::attribute
