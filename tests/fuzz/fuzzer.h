// What the fuzzers share: a folder for each input's files, and what an output must be. Those of
// traces have libFuzzer's hooks for mutations over trace_files.h, too (trace_hooks.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
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

// Whether a text, of one line or more, holds nothing but what may be shown (printable.h).
bool is_plain(std::string_view text);

// Which files inputs are made of. Each fuzzer of traces defines its own.
extern const Kinds kFuzzedKinds;

// Calls check(path) for each file of the input, in a folder with none of the others. A
// cowscope::Error is a right answer.
template <typename Check>
void for_each_file(const uint8_t* data, size_t size, Check&& check) {
    static const Folder folder;
    folder.clear();
    for (const File& file : parse(data, size, kFuzzedKinds)) {
        folder.write("file", bytes_of(file));
        try {
            check(folder.path() + "/file");
        } catch (const Error&) {
        }
    }
}

}  // namespace cowscope::fuzz
