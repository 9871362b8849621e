// What a trace that cannot be read says of itself.
#pragma once

#include <string>

#include "base/error.h"
#include "trace/process_trace.h"

namespace cowscope {

// Empty where the segment can be loaded.
inline std::string error_of(const std::string& path) {
    try {
        trace::load_process(path);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace cowscope
