// The options that `run` and `record` share.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "record/options.h"
#include "record/record.h"

namespace cowscope::cli {

// Binds the options of `run` and `record` to `texts`, which must outlive `app`.
void add_record_options(CLI::App& app, record::OptionTexts& texts);

// What both commands do: records `program` with what was parsed, lines for the user on stderr.
// Throws cowscope::Error.
record::RecordResult record_with(const CLI::App& app, const record::OptionTexts& texts,
                                 const Arguments& program);

// Says so where the recording has reached its bound.
void say_bound(const record::TraceFolder& folder);

// One line on stderr: "cowscope: " and the line.
void say(const std::string& line);

}  // namespace cowscope::cli
