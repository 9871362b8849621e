#include "export/names.h"

#include <fmt/format.h>

#include "base/file_name.h"
#include "base/printable.h"
#include "symbolize/demangle.h"

namespace cowscope::exports {

std::string frame_name(const attribute::Frame& frame) {
    const std::string function =
        frame.is_runtime ? std::string(frame.function) : symbolize::short_name(frame.function);
    std::string place = fmt::format("{}:{}", file_name(frame.file), frame.line);
    if (!frame.is_runtime && frame.file.empty()) {
        place = frame.module.empty() ? "no module" : file_name(frame.module);
    }
    // An address is another one in every run.
    return printable(fmt::format("{} ({})", function.empty() ? "?" : function, place));
}

std::string cause_name(const Sample& sample) {
    const std::string_view cause = runtime::cause_name(sample.cause);
    return printable(sample.type.empty() ? fmt::format("[{}]", cause)
                                         : fmt::format("[{} of {}]", cause, sample.type));
}

}  // namespace cowscope::exports
