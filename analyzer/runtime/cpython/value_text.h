// Values of written Python objects as a report shows them.
#pragma once

#include <string>
#include <vector>

#include "trace/process_trace.h"

namespace cowscope::cpython {

// As Python would write it, shortened: 'some text', b'\x00\x01', 42. Always printable UTF-8.
std::string value_text(const trace::ObjectValue& value);

// Different values of objects of that type that the site wrote to; none for type 0.
std::vector<std::string> examples_of(const trace::ProcessTrace& process, uint32_t site,
                                     uint64_t type);

}  // namespace cowscope::cpython
