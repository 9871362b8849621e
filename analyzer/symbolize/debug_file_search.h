// How libdwfl finds separate debug files.
#pragma once

#include <string>

#include <elfutils/libdwfl.h>

namespace cowscope::symbolize {

class DebugFileSearch {
  public:
    // `debug_path`: folders divided by colons.
    explicit DebugFileSearch(const std::string& debug_path);
    DebugFileSearch(const DebugFileSearch&) = delete;
    DebugFileSearch& operator=(const DebugFileSearch&) = delete;

    [[nodiscard]] const Dwfl_Callbacks* callbacks() const { return &callbacks_; }

  private:
    std::string path_;
    char* path_start_;
    Dwfl_Callbacks callbacks_ = {};
};

}  // namespace cowscope::symbolize
