// Where an export goes.
#pragma once

#include <string>
#include <string_view>

#include "base/file_descriptor.h"

namespace cowscope::exports {

// A regular file appears, or is replaced, when all of it is written: until then it is a file beside
// it. Its owner alone may read it: it holds what the trace holds, values of the program among it.
// What is none (a pipe, a terminal, /dev/null) is written to directly.
class Output {
  public:
    // "-" is standard output. Throws cowscope::Error, as the other functions do.
    explicit Output(const std::string& path);
    // Without finish() nothing is left.
    ~Output();
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    bool is_terminal() const;
    void write(std::string_view text);
    void finish();

  private:
    void flush();
    [[noreturn]] void fail(int error) const;

    std::string name_;  // for people
    std::string path_;
    std::string unfinished_;  // "" where it is written to directly
    FileDescriptor file_;
    std::string buffer_;
};

}  // namespace cowscope::exports
