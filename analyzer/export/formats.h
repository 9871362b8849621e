// The formats of exports.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "export/exported_copies.h"
#include "export/output.h"

namespace cowscope::exports {

// Write to `output`, which they do not finish.
std::unique_ptr<Writer> collapsed_writer(Output* output);
std::unique_ptr<Writer> jsonl_writer(Output* output);
std::unique_ptr<Writer> pprof_writer(Output* output);
std::unique_ptr<Writer> speedscope_writer(Output* output);

}  // namespace cowscope::exports
