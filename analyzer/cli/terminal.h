// How a text report is to look on the stream that it goes to.
#pragma once

#include "report/report.h"

namespace cowscope::cli {

// Colours and the width of the terminal where `descriptor` is one, plain otherwise. NO_COLOR
// (no-color.org) and TERM=dumb switch colours off.
report::TextOptions text_options_for(int descriptor);

}  // namespace cowscope::cli
