#include "export/names.h"

#include <fmt/format.h>

#include "base/file_name.h"
#include "base/printable.h"
#include "symbolize/demangle.h"

namespace cowscope::exports {

std::string frame_name(const attribute::StackFrame& frame) {
    attribute::StackFrame shown = frame;
    shown.file = file_name(frame.file);
    if (!frame.is_python) shown.function = symbolize::short_name(frame.function);
    // An address is another one in every run.
    if (shown.function.empty()) shown.function = "?";
    return printable(attribute::text_of(shown));
}

std::string cause_name(const Sample& sample) {
    return printable(sample.type.empty() ? fmt::format("[{}]", sample.cause)
                                         : fmt::format("[{} of {}]", sample.cause, sample.type));
}

}  // namespace cowscope::exports
