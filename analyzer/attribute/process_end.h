// How a process ended.
#pragma once

#include "attribute/recording_file.h"
#include "attribute/report_model.h"
#include "trace/process_trace.h"

namespace cowscope::attribute {

// What the process wrote itself, or what the recorder saw of it. `is_first`: it is the one that the
// recorder started.
void set_end(const trace::ProcessTrace& process, bool is_first, const Recording& recording,
             ProcessSummary* summary);

}  // namespace cowscope::attribute
