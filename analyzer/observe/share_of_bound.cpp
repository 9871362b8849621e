#include "observe/share_of_bound.h"

#include <cstring>

#include "base/write_file.h"
#include "preload/format/aggregate_format.h"
#include "trace/outside.h"

namespace cowscope::observe {

namespace {

// For recording.json. The most of it is the command, which seldom has more than a few hundred
// bytes.
constexpr uint64_t kLastFileBytes = 32 * 1024;

uint64_t charge_of(std::string_view content) {
    const uint64_t bytes = content.size() + sizeof(trace::FateRecord);
    return (bytes + trace::kPageBytes - 1) & ~(trace::kPageBytes - 1);
}

}  // namespace

std::string reason_of(int error) {
    return error == kNoRoomInBound ? "the trace has reached its bound" : std::strerror(error);
}

ShareOfBound::ShareOfBound(std::optional<uint64_t> limit_bytes) {
    if (limit_bytes) most_ = *limit_bytes / trace::kRecorderPart;
}

int ShareOfBound::replace(const std::string& path, std::string_view content, bool is_last) {
    if (!most_) return replace_file(path, content);
    const std::lock_guard lock(mutex_);
    const uint64_t charge = charge_of(content);
    const uint64_t most = is_last ? *most_ : *most_ - kLastFileBytes;
    if (charge > most || used_ > most - charge) return kNoRoomInBound;
    const int error = replace_file(path, content);
    if (error != 0) return error;
    uint64_t& file = files_[path];
    used_ = used_ + charge - file;
    file = charge;
    return 0;
}

}  // namespace cowscope::observe
