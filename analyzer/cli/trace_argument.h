// The trace that a command is about, with the options of every command that reads one.
#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

namespace cowscope::cli {

// The newest trace of the current directory that is this user's own, for the command of that name
// ("cowscope report"). Says which on stderr, unless quietly. Throws cowscope::Error where there is
// none.
std::string newest_trace(const std::string& command, bool quiet);

// `--quiet` of the commands that read traces.
void add_reading_options(CLI::App& app, bool& quiet);

// One trace, which need not be named. Bound to `app`: must outlive it.
class TraceArgument {
  public:
    explicit TraceArgument(CLI::App& app);
    TraceArgument(const TraceArgument&) = delete;
    TraceArgument& operator=(const TraceArgument&) = delete;

    // After parsing. The newest of the current directory where none was named; throws
    // cowscope::Error where there is none.
    std::string folder() const;
    bool quiet() const { return quiet_; }

  private:
    std::string command_;
    std::optional<std::string> named_;
    bool quiet_ = false;
};

}  // namespace cowscope::cli
