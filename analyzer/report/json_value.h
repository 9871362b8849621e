// A report as a JSON value, schema cowscope.report/1.
#pragma once

#include <nlohmann/json.hpp>

#include "attribute/report_model.h"

namespace cowscope::report {

using Json = nlohmann::ordered_json;

Json to_json_value(const attribute::Report& report);

}  // namespace cowscope::report
