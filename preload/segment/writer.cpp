#include "segment/writer.h"

#include <errno.h>

#include <atomic>
#include <cstring>

#include "support/descriptor.h"

#include "support/poison.h"

namespace cowscope::segment {
namespace {

constexpr uint64_t kPage = 4096;
// What create() writes and the start's mapping covers: enough for a process that only executes.
// Later windows grow, so that a process with many events maps rarely and one with few wastes
// little.
constexpr uint64_t kStartBytes = 8 * 1024;
constexpr uint64_t kFirstWindowBytes = 32 * 1024;
constexpr uint64_t kSmallWindowBytes = 256 * 1024;
constexpr uint64_t kLargeWindowBytes = 512 * 1024;
constexpr uint32_t kAskAgainEvery = 1024;

struct Start {
    trace::SegmentHeader header;
    trace::LossRecord loss;
};
static_assert(sizeof(Start) == sizeof(trace::SegmentHeader) + sizeof(trace::LossRecord));
static_assert(sizeof(Start) + Writer::kFirstRecordBytes <= kStartBytes);

const unsigned char kZeros[kStartBytes] = {};
// Counted into where there is no segment to count in.
constinit trace::LossRecord loss_in_vain = {};

// What a reader can do without, when the bound is reached. The others say what there is to count.
bool is_detail(trace::RecordType type) {
    switch (type) {
        case trace::RecordType::process:
        case trace::RecordType::inherited:
        case trace::RecordType::protect:
        case trace::RecordType::given_up:
        case trace::RecordType::generation:
        case trace::RecordType::moved:
        case trace::RecordType::census:
        case trace::RecordType::fork:
        case trace::RecordType::end:
        case trace::RecordType::note:
        case trace::RecordType::account:
            return false;
        default:
            return true;
    }
}

// With a bound they find room, whatever comes before them: that of the recording, and the
// process's.
uint64_t room_for_ends() {
    return budget.is_set() ? 2 * sizeof(trace::EndRecord) : 0;
}

void* map_shared(int fd, uint64_t offset, uint64_t bytes) {
    void* mapping = sys::mmap(bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
    if (sys::failed(mapping)) return nullptr;
    sys::madvise(mapping, bytes, MADV_DONTFORK);
    return mapping;
}

}  // namespace

int Writer::create(const char* path, pid_t pid, uint64_t created_ns,
                   const trace::RecordHeader* first, int folder) {
    if (!budget.take(kStartBytes, Share::ordinary)) {
        budget.set_reached();
        return -EDQUOT;
    }
    const int fd = sys::open_at(folder, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0 || !file_.keep(fd)) {
        budget.give_back(kStartBytes);
        return fd < 0 ? fd : -EBADF;
    }
    Start start = {};
    std::memcpy(start.header.magic, trace::kMagic, sizeof(start.header.magic));
    start.header.version = trace::kVersion;
    start.header.header_bytes = sizeof(trace::SegmentHeader);
    start.header.page_size = kPage;
    start.header.pid = static_cast<uint32_t>(pid);
    start.header.created_ns = created_ns;
    start.loss.header = {sizeof(trace::LossRecord), trace::RecordType::loss, 0};
    const size_t first_bytes = first == nullptr ? 0 : first->bytes;
    committed_ = sizeof(start) + first_bytes;
    start.header.committed_bytes = committed_;

    struct iovec parts[] = {
        {&start, sizeof(start)},
        {const_cast<trace::RecordHeader*>(first), first_bytes},
        {const_cast<unsigned char*>(kZeros), kStartBytes - sizeof(start) - first_bytes},
    };
    const int result = write_at(0, parts, sizeof(parts) / sizeof(parts[0]), kStartBytes);
    if (result != 0) {
        // An empty file would be a damaged trace.
        if (file_.is_ours()) sys::unlink_at(folder, path);
        budget.give_back(kStartBytes);
        close();
        return result;
    }
    reserved_ = kStartBytes;
    return 0;
}

void Writer::close() {
    file_.close();
    *this = Writer();
}

bool Writer::map_start() {
    if (header_ != nullptr) return true;
    if (!file_.is_ours()) return false;
    window_ = static_cast<unsigned char*>(map_shared(file_.number(), 0, kStartBytes));
    if (window_ == nullptr) return false;
    window_start_ = 0;
    window_end_ = kStartBytes;
    header_ = reinterpret_cast<trace::SegmentHeader*>(window_);
    return true;
}

trace::LossRecord* Writer::loss() {
    return map_start() ? &reinterpret_cast<Start*>(header_)->loss : &loss_in_vain;
}

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
    for (auto& part : parts) part = {const_cast<unsigned char*>(kZeros), kStartBytes};
    for (uint64_t at = from; at < to;) {
        const uint64_t left = (to - at) / kStartBytes;
        const uint64_t count = left < kPartsACall ? left : kPartsACall;
        const int result = write_at(at, parts, count, count * kStartBytes);
        if (result != 0) return result;
        at += count * kStartBytes;
        reserved_ = at;
    }
    return 0;
}

bool Writer::make_room(uint64_t needed_end, Share share) {
    // A full disk stays full for a while: not every fault pays for asking.
    if (refusals_ % kAskAgainEvery != 0 || !map_window(needed_end, share)) {
        ++refusals_;
        return false;
    }
    refusals_ = 0;
    return true;
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
    reached_bound_ = true;
    budget.set_reached();
    return false;
}

bool Writer::map_window(uint64_t needed_end, Share share) {
    if (!map_start()) return false;
    if (needed_end <= window_end_) return true;
    const uint64_t start = committed_ & ~(kStartBytes - 1);
    uint64_t bytes = kFirstWindowBytes;
    if (start >= kFirstWindowBytes) bytes = kSmallWindowBytes;
    if (start >= kLargeWindowBytes) bytes = kLargeWindowBytes;
    while (start + bytes < needed_end) bytes *= 2;
    if (!file_.is_ours() || !take_of_bound(start, needed_end, share, &bytes)) return false;
    if (start + bytes > reserved_ && reserve(reserved_, start + bytes) != 0) {
        budget.give_back(start + bytes - reserved_);
        return false;
    }
    void* window = map_shared(file_.number(), start, bytes);
    if (window == nullptr) return false;
    // The start stays: it holds the header and the counters.
    if (window_ != reinterpret_cast<unsigned char*>(header_)) {
        sys::munmap(window_, window_end_ - window_start_);
    }
    window_ = static_cast<unsigned char*>(window);
    window_start_ = start;
    window_end_ = start + bytes;
    return true;
}

void* Writer::begin_bytes(trace::RecordType type, size_t bytes) {
    if (!is_open()) return nullptr;
    const size_t rounded = (bytes + 7) & ~size_t{7};
    if (rounded > trace::kMaxRecordBytes) return nullptr;
    if (is_cut_ && type != trace::RecordType::end) return nullptr;
    if (reached_bound_ && !is_closing_ && is_detail(type)) return nullptr;
    const Share share = is_closing_ ? Share::closing : Share::ordinary;
    uint64_t needed_end = committed_ + rounded;
    if (type != trace::RecordType::end) needed_end += room_for_ends();
    bool has_room = needed_end <= window_end_ || make_room(needed_end, share);
    if (!has_room && reached_bound_ && !is_detail(type)) {
        has_room = map_window(needed_end, Share::closing);
        is_cut_ = is_cut_ || !has_room;
    }
    // Who goes on counting says what it counts.
    if (!has_room && reached_bound_) return nullptr;
    if (!has_room) {
        // What an event stands for its writer knows, and counts.
        if (type != trace::RecordType::event) loss()->unwritten_bytes += rounded;
        return nullptr;
    }
    unsigned char* room = window_ + (committed_ - window_start_);
    // The tail that rounding adds must not leak what the page held.
    std::memset(room + rounded - 8, 0, 8);
    auto* header = reinterpret_cast<trace::RecordHeader*>(room);
    *header = {static_cast<uint32_t>(rounded), type, 0};
    begun_bytes_ = static_cast<uint32_t>(rounded);
    return room;
}

void Writer::trim() {
    // Most processes only execute another program or write little: not worth a system call.
    constexpr uint64_t kWorthIt = 64 * 1024;
    const uint64_t end = (committed_ + room_for_ends() + kStartBytes - 1) & ~(kStartBytes - 1);
    if (reserved_ < end + kWorthIt || !file_.is_ours()) return;
    if (sys::failed(sys::syscall2(SYS_ftruncate, file_.number(), static_cast<long>(end)))) return;
    budget.give_back(reserved_ - end);
    // What is mapped behind the end would be a SIGBUS.
    reserved_ = end;
    if (window_end_ > end) {
        sys::munmap(window_ + (end - window_start_), window_end_ - end);
        window_end_ = end;
    }
}

void Writer::append(const trace::RecordHeader& record) {
    if (header_ == nullptr && file_.is_ours() && committed_ + record.bytes <= kStartBytes) {
        const uint64_t end = committed_ + record.bytes;
        const struct iovec part = {const_cast<trace::RecordHeader*>(&record), record.bytes};
        const struct iovec count = {const_cast<uint64_t*>(&end), sizeof(end)};
        constexpr uint64_t kCountAt = offsetof(trace::SegmentHeader, committed_bytes);
        if (write_at(committed_, &part, 1, record.bytes) == 0 &&
            write_at(kCountAt, &count, 1, sizeof(end)) == 0) {
            committed_ = end;
            return;
        }
    }
    void* room = begin_bytes(record.type, record.bytes);
    if (room == nullptr) return;
    std::memcpy(room, &record, record.bytes);
    commit();
}

void Writer::commit() {
    committed_ += begun_bytes_;
    begun_bytes_ = 0;
    // The record must be complete in memory before the count that makes it visible.
    std::atomic_ref<uint64_t>(header_->committed_bytes)
        .store(committed_, std::memory_order_release);
}

}  // namespace cowscope::segment
