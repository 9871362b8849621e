// The part of a segment that is mapped for what comes next: its blocks are the file's before
// anything is written, so that a full disk, a limit of file sizes or the recording's own is found
// out here and not as a signal.

#include <errno.h>
#include <sys/resource.h>

#include "session/budget.h"
#include "session/writer.h"
#include "session/zeros.h"

#include "support/poison.h"

namespace cowscope::session {
namespace {

// Later windows grow, so that a process with many events maps rarely and one with few wastes
// little.
constexpr uint64_t kFirstWindowBytes = 32 * 1024;
constexpr uint64_t kSmallWindowBytes = 256 * 1024;
constexpr uint64_t kLargeWindowBytes = 512 * 1024;
// A disk that was found full is asked again once this many times the time has passed that asking
// took: some file systems try to make room first. What a process says last asks always.
constexpr uint64_t kWaitPart = 20;

}  // namespace

// Beyond the file size limit, writing would raise SIGXFSZ in the host.
int Writer::write_at(uint64_t offset, const struct iovec* parts, size_t count, uint64_t bytes) {
    struct rlimit limit;
    if (sys::getrlimit(RLIMIT_FSIZE, &limit) == 0 && offset + bytes > limit.rlim_cur) return -EFBIG;
    const long written = sys::syscall5(SYS_pwritev, file_.number(), sys::word(parts),
                                       static_cast<long>(count), static_cast<long>(offset), 0);
    if (sys::failed(written)) return static_cast<int>(written);
    // Short only when the disk fills.
    return static_cast<uint64_t>(written) == bytes ? 0 : -ENOSPC;
}

int Writer::reserve(uint64_t from, uint64_t to) {
    // The same zeros, as often as one call takes them.
    constexpr uint64_t kPartsACall = 64;
    struct iovec parts[kPartsACall];
    for (auto& part : parts) part = {const_cast<unsigned char*>(kZeros), kZerosBytes};
    for (uint64_t at = from; at < to;) {
        const uint64_t left = (to - at) / kZerosBytes;
        const uint64_t count = left < kPartsACall ? left : kPartsACall;
        const int result = write_at(at, parts, count, count * kZerosBytes);
        if (result != 0) return result;
        at += count * kZerosBytes;
        reserved_ = at;
    }
    return 0;
}

bool Writer::may_ask() const {
    return is_closing_ || ask_again_ns_ == 0 || sys::monotonic_ns() >= ask_again_ns_;
}

void Writer::wait_after(uint64_t asked_ns) {
    const uint64_t now = sys::monotonic_ns();
    ask_again_ns_ = now + kWaitPart * (now - asked_ns);
}

bool Writer::make_room(uint64_t needed_end, Share share) {
    if (!may_ask()) return false;
    const uint64_t asked_ns = sys::monotonic_ns();
    const bool has_room = map_window(needed_end, share);
    release_file();
    if (!has_room) wait_after(asked_ns);
    return has_room;
}

// Finds how many bytes a window from `start` on can have, at most `*bytes`, so that the bound
// allows for what is to be reserved; these are taken then.
bool Writer::take_of_bound(uint64_t start, uint64_t needed_end, Share share, uint64_t* bytes) {
    if (!budget.is_set()) return true;
    const uint64_t least = (needed_end - start + kStartBytes - 1) & ~(kStartBytes - 1);
    if (share == Share::closing) *bytes = least;
    for (;; *bytes = *bytes / 2 > least ? *bytes / 2 : least) {
        const uint64_t end = start + *bytes;
        if (end <= reserved_ || budget.take(end - reserved_, share)) return true;
        if (*bytes == least) break;
    }
    has_reached_limit_ = true;
    budget.set_reached();
    return false;
}

// Gives a window from `start` on its blocks: `*bytes`, or what is needed alone where the program's
// limit of file sizes allows no more, or where it is for what the process says last.
bool Writer::reserve_window(uint64_t start, uint64_t needed_end, uint64_t* bytes) {
    const uint64_t least = (needed_end - start + kStartBytes - 1) & ~(kStartBytes - 1);
    for (;;) {
        const uint64_t end = start + *bytes;
        const int result = end <= reserved_ ? 0 : reserve(reserved_, end);
        if (result == 0) return true;
        if (result == -EFBIG) is_near_limit_ = true;
        const bool is_worth_less = *bytes > least && (result == -EFBIG || is_closing_);
        uint64_t less_end = reserved_;
        if (is_worth_less && start + least > reserved_) less_end = start + least;
        budget.give_back(end - less_end);
        if (!is_worth_less) return false;
        *bytes = less_end - start;
    }
}

// The window before is still there when the next is mapped, which may have a part of it again: so
// they take turns.
uint64_t Writer::window_place(uint64_t start) const {
    constexpr uint64_t kTurnBytes = sys::kSegmentPlaceBytes / 2;
    const uint64_t first = sys::own_area() + static_cast<uint64_t>(sys::OwnPlace::segment);
    const bool is_first_taken = reinterpret_cast<uint64_t>(window_) - first < kTurnBytes;
    return first + (is_first_taken ? kTurnBytes : 0) + start % kTurnBytes;
}

bool Writer::map_window(uint64_t needed_end, Share share) {
    if (!map_start() || !map_staging()) return false;
    if (needed_end <= window_end_) return true;
    const uint64_t start = committed_ & ~(kStartBytes - 1);
    uint64_t bytes = kFirstWindowBytes;
    if (start >= kFirstWindowBytes) bytes = kSmallWindowBytes;
    if (start >= kLargeWindowBytes) bytes = kLargeWindowBytes;
    while (start + bytes < needed_end) bytes *= 2;
    if (!has_file() || !take_of_bound(start, needed_end, share, &bytes)) return false;
    if (!reserve_window(start, needed_end, &bytes)) return false;
    const uint64_t address = window_place(start);
    void* window = sys::map_file(address, file_.number(), start, bytes);
    if (sys::failed(window)) return false;
    if (stores_directly_ && !sys::populate(window, bytes)) {
        sys::munmap(window, bytes);
        return false;
    }
    // The start stays: it holds the header and the counters.
    if (window_ != reinterpret_cast<unsigned char*>(header_)) {
        sys::munmap(window_, window_end_ - window_start_);
    }
    window_ = static_cast<unsigned char*>(window);
    window_start_ = start;
    window_end_ = start + bytes;
    return true;
}

}  // namespace cowscope::session
