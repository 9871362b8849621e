#include "runtime/write.h"

#include <algorithm>

#include <fmt/format.h>

#include "runtime/function_names.h"

namespace cowscope::runtime {

bool is_on_heap(const Write& write) {
    return write.region == Region::heap || write.region == Region::anonymous;
}

bool counts_by_one(const Write& write) {
    const unsigned width = write.instruction->width_bytes;
    return (width == 4 || width == 8) && write.change &&
           (*write.change == 1 || *write.change == -1);
}

std::string describe_change(const Write& write) {
    const char* verb = *write.change > 0 ? "adds 1 to" : "takes 1 from";
    const bool eight = write.instruction->width_bytes == 8;
    return fmt::format("{} {}-byte word", verb, eight ? "an 8" : "a 4");
}

std::string_view first_named(const Write& write, bool (*names)(std::string_view)) {
    for (const auto* functions : {&write.functions, &write.callers}) {
        const auto found = std::find_if(functions->begin(), functions->end(), names);
        if (found != functions->end()) return base_name(*found);
    }
    return {};
}

}  // namespace cowscope::runtime
