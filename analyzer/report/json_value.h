// A report as a JSON value, schema cowscope.report/1, and how JSON becomes text.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "attribute/report_model.h"

namespace cowscope::report {

using Json = nlohmann::ordered_json;

Json to_json_value(const attribute::Report& report);

// A value as text, on one line where `indent` is -1. Every string in it is printable (printable.h);
// line feeds and tabs stay, as JSON writes them.
std::string json_text(Json value, int indent = -1);

}  // namespace cowscope::report
