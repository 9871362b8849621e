// The recorder's part of the bound of a recording's size (--max-trace), which its own files beside
// the segments have to themselves: the shim's part (preload/session/budget.h) is counted in a file
// that the recorded program could damage.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace cowscope::observe {

// Returned for an errno where the bound leaves no room.
inline constexpr int kNoRoomInBound = -1;
// What the user is told of either.
std::string reason_of(int error);

// Thread-safe.
class ShareOfBound {
  public:
    // `limit_bytes` of the whole recording; empty: nothing is bounded.
    explicit ShareOfBound(std::optional<uint64_t> limit_bytes = std::nullopt);

    // replace_file(), if there is room for the new file beside the one that it replaces; else that
    // one stays. Files count in whole pages, and with what append_fate() may add. Some room is kept
    // for the one that `is_last`. Returns 0, errno or kNoRoomInBound.
    int replace(const std::string& path, std::string_view content, bool is_last = false);

  private:
    std::mutex mutex_;
    std::optional<uint64_t> most_;  // bytes
    uint64_t used_ = 0;
    std::map<std::string, uint64_t> files_;  // by path
};

}  // namespace cowscope::observe
