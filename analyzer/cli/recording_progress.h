// Lines that tell of a long recording while it runs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "observe/outside_scan.h"

namespace cowscope::cli {

// Ever rarer: whole lines that stay, because the watched program writes to the same terminal and
// what is drawn in place would end up in the middle of its output.
class RecordingProgress {
  public:
    explicit RecordingProgress(uint64_t start_ns)
        : start_ns_(start_ns), next_ns_(start_ns + kFirstNs) {}

    // The line that is due at `now_ns` (CLOCK_MONOTONIC, as start_ns).
    std::optional<std::string> line_at(uint64_t now_ns, const observe::SeenSoFar& seen);
    // In how many ns the next line is due.
    uint64_t due_in(uint64_t now_ns) const { return next_ns_ - std::min(now_ns, next_ns_); }

  private:
    static constexpr uint64_t kSecondNs = 1'000'000'000;
    static constexpr uint64_t kFirstNs = 5 * kSecondNs;
    static constexpr uint64_t kMostNs = 600 * kSecondNs;  // between two lines

    uint64_t start_ns_;
    uint64_t next_ns_;
    uint64_t last_ns_ = 0;  // of the line before
    uint64_t last_copied_ = 0;
};

}  // namespace cowscope::cli
