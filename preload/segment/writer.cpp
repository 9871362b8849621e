#include "segment/writer.h"

#include <errno.h>
#include <sys/uio.h>

#include <atomic>
#include <cstring>

#include "support/descriptor.h"

#include "support/poison.h"

namespace cowscope::segment {
namespace {

constexpr uint64_t kPage = 4096;
// The first window holds all that a process without forks writes; later ones grow, so that a
// process with many events maps rarely and one with few wastes little.
constexpr uint64_t kFirstWindowBytes = 32 * 1024;
constexpr uint64_t kSmallWindowBytes = 256 * 1024;
constexpr uint64_t kLargeWindowBytes = 512 * 1024;
constexpr uint32_t kAskAgainEvery = 1024;
static_assert(kSmallWindowBytes >= trace::kMaxRecordBytes + kPage);

constexpr int kMadvPopulateWrite = 23;  // Linux 5.14, include/uapi/asm-generic/mman-common.h

void* map_shared(int fd, uint64_t offset, uint64_t bytes) {
    void* mapping = sys::mmap(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    if (sys::failed(mapping)) return nullptr;
    sys::madvise(mapping, bytes, MADV_DONTFORK);
    if (sys::failed(static_cast<long>(sys::madvise(mapping, bytes, kMadvPopulateWrite)))) {
        // Before 5.14: one store a page does the same.
        auto* bytes_of_mapping = static_cast<volatile unsigned char*>(mapping);
        for (uint64_t at = 0; at < bytes; at += kPage) bytes_of_mapping[at] = bytes_of_mapping[at];
    }
    return mapping;
}

}  // namespace

int Writer::create(const char* path, pid_t pid, uint64_t created_ns) {
    const int fd = sys::open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0) return fd;
    fd_ = move_descriptor_up(fd);
    struct stat status;
    int result = sys::fstat(fd_, &status);
    if (result == 0) {
        device_ = status.st_dev;
        inode_ = status.st_ino;
        reserved_ = 0;
        result = reserve(0, kFirstWindowBytes);
    }
    if (result != 0) {
        sys::close(fd_);
        fd_ = -1;
        return result;
    }

    auto* header_page = static_cast<unsigned char*>(map_shared(fd_, 0, kPage));
    if (header_page == nullptr) {
        sys::close(fd_);
        fd_ = -1;
        return -ENOMEM;
    }
    auto* header = reinterpret_cast<trace::SegmentHeader*>(header_page);
    loss_ = reinterpret_cast<trace::LossRecord*>(header_page + sizeof(trace::SegmentHeader));
    *loss_ = {{sizeof(trace::LossRecord), trace::RecordType::loss, 0}, 0, 0, 0, 0};
    header->version = trace::kVersion;
    header->header_bytes = sizeof(trace::SegmentHeader);
    header->features = 0;
    header->page_size = kPage;
    header->pid = static_cast<uint32_t>(pid);
    header->created_ns = created_ns;
    committed_ = sizeof(trace::SegmentHeader) + sizeof(trace::LossRecord);
    header->committed_bytes = committed_;
    // The magic goes last: a file without it is no segment yet.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::memcpy(header->magic, trace::kMagic, sizeof(header->magic));
    header_ = header;
    return 0;
}

void Writer::forget_inherited() {
    if (fd_ >= 0 && descriptor_is_ours()) sys::close(fd_);
    *this = Writer();
}

// The host may close every descriptor and get our number for a file of its own.
bool Writer::descriptor_is_ours() const {
    return descriptor_names(fd_, device_, inode_);
}

int Writer::reserve(uint64_t from, uint64_t to) {
    struct rlimit limit;
    // Beyond the limit, writing would raise SIGXFSZ in the host.
    if (sys::getrlimit(RLIMIT_FSIZE, &limit) == 0 && to > limit.rlim_cur) return -EFBIG;
    // The same page of zeros, as often as one call takes it.
    static const unsigned char zeros[kPage] = {};
    constexpr uint64_t kPagesACall = 64;
    struct iovec pages[kPagesACall];
    for (auto& page : pages) page = {const_cast<unsigned char*>(zeros), kPage};
    for (uint64_t at = from; at < to;) {
        const uint64_t wanted = (to - at) / kPage < kPagesACall ? (to - at) / kPage : kPagesACall;
        const long written = sys::syscall5(SYS_pwritev, fd_, sys::word(pages),
                                           static_cast<long>(wanted), static_cast<long>(at), 0);
        if (sys::failed(written)) return static_cast<int>(written);
        // Short only when the disk fills.
        if (written != static_cast<long>(wanted * kPage)) return -ENOSPC;
        at += static_cast<uint64_t>(written);
    }
    reserved_ = to;
    return 0;
}

bool Writer::make_room(uint64_t needed_end) {
    // A full disk stays full for a while: not every fault pays for asking.
    if (refusals_ % kAskAgainEvery != 0 || !map_window(needed_end)) {
        ++refusals_;
        return false;
    }
    refusals_ = 0;
    return true;
}

bool Writer::map_window(uint64_t needed_end) {
    const uint64_t start = committed_ & ~(kPage - 1);
    uint64_t bytes = kFirstWindowBytes;
    if (start >= kFirstWindowBytes) bytes = kSmallWindowBytes;
    if (start >= kLargeWindowBytes) bytes = kLargeWindowBytes;
    while (start + bytes < needed_end) bytes *= 2;
    if (!descriptor_is_ours()) return false;
    if (start + bytes > reserved_ && reserve(reserved_, start + bytes) != 0) return false;
    void* window = map_shared(fd_, start, bytes);
    if (window == nullptr) return false;
    if (window_ != nullptr) sys::munmap(window_, window_end_ - window_start_);
    window_ = static_cast<unsigned char*>(window);
    window_start_ = start;
    window_end_ = start + bytes;
    return true;
}

void* Writer::begin_bytes(trace::RecordType type, size_t bytes) {
    if (header_ == nullptr) return nullptr;
    const size_t rounded = (bytes + 7) & ~size_t{7};
    if (rounded > trace::kMaxRecordBytes) return nullptr;
    if (committed_ + rounded > window_end_ && !make_room(committed_ + rounded)) {
        if (type == trace::RecordType::event) {
            ++loss_->unwritten_events;
        } else {
            loss_->unwritten_bytes += rounded;
        }
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

void Writer::commit() {
    committed_ += begun_bytes_;
    begun_bytes_ = 0;
    // The record must be complete in memory before the count that makes it visible.
    std::atomic_ref<uint64_t>(header_->committed_bytes)
        .store(committed_, std::memory_order_release);
}

}  // namespace cowscope::segment
