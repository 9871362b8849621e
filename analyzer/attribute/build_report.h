// From a trace to the model of a report.
#pragma once

#include <optional>
#include <string>

#include "attribute/report_model.h"

namespace cowscope::attribute {

class Details;

// `process`: count only what this pid did (all its images); the list of processes stays whole.
// Throws cowscope::Error where FOLDER is no trace, or has no such process.
// `details`: filled where it is given.
Report build_report(const std::string& folder, std::optional<int> process = std::nullopt,
                    Details* details = nullptr);

}  // namespace cowscope::attribute
