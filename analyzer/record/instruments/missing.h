// Why an instrument is not to be had, as far as several say it alike.
#pragma once

#include <string>

#include "record/instrument.h"

namespace cowscope::record {

bool is_filtered(const Machine& machine);  // by seccomp
std::string describe(int error);
Capability missing(const ProbeOutcome& outcome, std::string reason, std::string remedy);
// What any probe can run into, of `what`.
Capability unexpected(const ProbeOutcome& outcome, const std::string& what);
Capability unreadable_page_table(const ProbeOutcome& outcome);

}  // namespace cowscope::record
