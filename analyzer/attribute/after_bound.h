// What was only counted once a recording had reached its bound, with names.
#pragma once

#include <optional>

#include "attribute/report_model.h"
#include "symbolize/symbolizer.h"
#include "trace/trace.h"

namespace cowscope::attribute {

// Nothing where there was no bound, or it was not reached. `start_ns`: of the trace. Names and
// frames are kept in `frames`.
std::optional<AfterBound> find_after_bound(const trace::Trace& trace, uint64_t start_ns,
                                           symbolize::Symbolizer* symbolizer, FrameTable* frames);

// "the trace reached its bound of 64.0 MiB after 2.31 s; ...", for people.
std::string text_of(const AfterBound& after);

}  // namespace cowscope::attribute
