// Files that are written whole. Neither function raises a signal where the file size
// limit is too small; both return 0 or an errno.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace cowscope {

// Writes a file so that a reader sees all of it, or what was there before.
int replace_file(const std::string& path, std::string_view content, mode_t mode = 0600);

// Writes all of `content` at `offset`.
int write_at(int file, std::string_view content, uint64_t offset);

}  // namespace cowscope
