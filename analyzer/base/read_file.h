// Files that are read whole.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace cowscope {

// The rest of the file, but no more than `limit` bytes; nothing on an error or beyond the limit.
std::optional<std::string> read_all(int file, size_t limit);

}  // namespace cowscope
