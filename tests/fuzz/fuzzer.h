// What the fuzzers share: libFuzzer's mutation hooks over trace_files.h, and a folder for each
// input's files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/trace_files.h"

namespace cowscope::fuzz {

// Emptied for each input; removed at the end.
class Folder {
  public:
    Folder();
    ~Folder();
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    const std::string& path() const { return path_; }
    void clear() const;
    void write(const std::string& name, const std::string& bytes) const;

  private:
    std::string path_;
};

// What must never happen: libFuzzer keeps the input.
[[noreturn]] void fail(const char* what);

}  // namespace cowscope::fuzz
