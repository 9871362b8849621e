// The last component of a path.
#pragma once

#include <string_view>

namespace cowscope {

// "libc.so.6" of "/lib/x86_64-linux-gnu/libc.so.6"; a path without a slash is its own.
constexpr std::string_view file_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

}  // namespace cowscope
