#include "session/budget.h"

#include <errno.h>
#include <sys/auxv.h>
#include <sys/uio.h>

#include <atomic>
#include <cstring>

#include "session/disk.h"

#include "support/poison.h"

namespace cowscope::session {
namespace {

// Another program that starts at the same time may be about to fill the file.
constexpr int kMostLooks = 50;
constexpr long kBetweenLooksNs = 2'000'000;

std::atomic_ref<uint64_t> counter(uint64_t& value) {
    return std::atomic_ref<uint64_t>(value);
}

int create_file(int folder, const trace::BoundFile& content) {
    const int fd =
        sys::open_at(folder, trace::kBoundFile, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0) return fd;
    const struct iovec part = {const_cast<trace::BoundFile*>(&content), sizeof(content)};
    const long written = sys::syscall5(SYS_pwritev, fd, sys::word(&part), 1, 0, 0);
    if (written == static_cast<long>(sizeof(content))) return fd;
    sys::close(fd);
    sys::unlink_at(folder, trace::kBoundFile);
    return sys::failed(written) ? static_cast<int>(written) : -ENOSPC;
}

// A regular file that this user has made.
bool is_own_file(int fd, struct stat* status) {
    return sys::fstat(fd, status) == 0 && S_ISREG(status->st_mode) &&
           status->st_uid == getauxval(AT_EUID);
}

int open_file(int folder) {
    // A FIFO must not make us wait.
    const int fd =
        sys::open_at(folder, trace::kBoundFile, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return fd;
    struct stat status;
    for (int i = 0;; ++i) {
        const bool is_own = is_own_file(fd, &status);
        if (is_own && status.st_size == static_cast<off_t>(sizeof(trace::BoundFile))) break;
        if (!is_own || i == kMostLooks) {
            sys::close(fd);
            return -EBADF;
        }
        sys::sleep_ns(kBetweenLooksNs);
    }
    return fd;
}

}  // namespace

constinit Budget budget;

int Budget::open(int folder, uint64_t limit_bytes, uint64_t shim_bytes) {
    trace::BoundFile content = {};
    std::memcpy(content.magic, trace::kBoundMagic, sizeof(content.magic));
    content.version = trace::kBoundVersion;
    content.limit_bytes = limit_bytes;
    content.used_bytes = sizeof(content);
    int fd = create_file(folder, content);
    if (fd == -EEXIST) fd = open_file(folder);
    if (fd < 0) return fd;
    void* mapping = sys::mmap(sys::OwnPlace::size_limit, sizeof(content), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_POPULATE, fd);
    const bool stores_directly = writes_in_place(fd);
    sys::close(fd);
    if (sys::failed(mapping)) return static_cast<int>(reinterpret_cast<long>(mapping));
    auto* file = static_cast<trace::BoundFile*>(mapping);
    if (std::memcmp(file->magic, trace::kBoundMagic, sizeof(file->magic)) != 0 ||
        file->version != trace::kBoundVersion) {
        sys::munmap(mapping, sizeof(content));
        return -EBADF;
    }
    sys::unlock(mapping, sizeof(content));
    file_ = file;
    stores_directly_ = stores_directly;
    limit_bytes_ = limit_bytes;
    shim_bytes_ = shim_bytes;
    return 0;
}

uint64_t Budget::most(Share share) const {
    return share == Share::closing ? shim_bytes_ : shim_bytes_ - shim_bytes_ / trace::kClosingPart;
}

uint64_t Budget::left(Share share) const {
    const uint64_t used = counter(file_->used_bytes).load(std::memory_order_relaxed);
    return used < most(share) ? most(share) - used : 0;
}

bool Budget::may_store() const {
    return stores_directly_ || sys::populate(file_, sizeof(*file_));
}

bool Budget::take_of_bound(uint64_t bytes, Share share) {
    if (share == Share::ordinary && is_reached()) return false;
    if (!may_store()) return false;
    const uint64_t limit = most(share);
    const auto used = counter(file_->used_bytes);
    uint64_t now = used.load(std::memory_order_relaxed);
    // Others win a few times at most; more often only where somebody means harm.
    constexpr int kMostTries = 1000;
    for (int i = 0; i < kMostTries; ++i) {
        if (bytes > limit || now > limit - bytes) return false;
        if (used.compare_exchange_weak(now, now + bytes, std::memory_order_relaxed)) return true;
    }
    return false;
}

void Budget::give_back(uint64_t bytes) {
    if (file_ == nullptr || !may_store()) return;
    counter(file_->used_bytes).fetch_sub(bytes, std::memory_order_relaxed);
}

void Budget::set_reached() {
    if (file_ == nullptr || is_reached() || !may_store()) return;
    uint64_t never = 0;
    const auto reached = counter(file_->reached_ns);
    reached.compare_exchange_strong(never, sys::monotonic_ns(), std::memory_order_relaxed);
}

bool Budget::is_reached() const {
    return file_ != nullptr && counter(file_->reached_ns).load(std::memory_order_relaxed) != 0;
}

}  // namespace cowscope::session
