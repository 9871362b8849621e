// A report in the forms that people and scripts read.
#pragma once

#include <cstddef>
#include <string>

#include "attribute/report_model.h"

namespace cowscope::report {

struct TextOptions {
    std::string by = "cause";  // cause, site, type, owner, process
    std::size_t top = 10;      // rows of each table
    bool color = false;        // ANSI colours
    bool native = false;       // the interpreter's own frames instead of Python's
    unsigned width = 80;       // columns of the terminal
};

// Ends with a newline.
std::string to_text(const attribute::Report& report, const TextOptions& options);

// Schema cowscope.report/1, always whole: neither `top` nor `by` leaves anything out.
std::string to_json(const attribute::Report& report);

}  // namespace cowscope::report
