// Calls by which the kernel writes into the program's memory. No instruction of the program faults
// then, so the witness sees nothing, and while nothing else looks (generation.cpp) these functions
// do: they ask before the call which pages of the buffer are shared, and afterwards know how far
// the kernel wrote. Buffers in pieces, and large ones, are left to the tracker. Calls inside libc
// do not come by here; they read into stdio's buffers, a page or so each.

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "process/interpose.h"
#include "process/process.h"
#include "process/real.h"

#include "support/poison.h"

namespace cowscope::process {
namespace {

constexpr uint64_t kPage = tracker::kPageBytes;

// A call that may write to a buffer: what the kernel copied or created by it is recorded.
class KernelWrite {
  public:
    KernelWrite(const void* to, size_t bytes) {
        // Most programs never fork: for them this is one comparison.
        if (process.tracked == nullptr || process.tracked->stage != Stage::witnessing) return;
        if (!is_current() || bytes == 0) return;
        start_ = reinterpret_cast<uint64_t>(to);
        const uint64_t first = start_ & ~(kPage - 1);
        const uint64_t pages = (start_ + bytes - first + kPage - 1) / kPage;
        const Locked locked;
        if (pages > kMostPages) {
            stop_judging_by_page();
            start_ = 0;
        } else {
            shared_ = process.look.shared_pages(first, pages, &absent_);
        }
    }

    // What the call returned. Returns it too.
    ssize_t wrote(ssize_t bytes) const {
        if (bytes <= 0 || (shared_ | absent_) == 0) return bytes;
        const int saved_errno = errno;
        const uint64_t end = start_ + static_cast<uint64_t>(bytes);
        const Locked locked;
        if (process.tracked->stage == Stage::witnessing) {
            uint64_t page = start_ & ~(kPage - 1);
            for (unsigned i = 0; page < end; ++i, page += kPage) {
                const bool is_copied = (shared_ >> i & 1) != 0;
                if (is_copied) record_page(trace::CensusKind::kernel, page);
                if (is_copied || (absent_ >> i & 1) != 0) judge_page(page, !is_copied);
            }
        }
        errno = saved_errno;
        return bytes;
    }

  private:
    static constexpr uint64_t kMostPages = 64;

    uint64_t start_ = 0;
    uint64_t shared_ = 0;  // bit n: the n-th page of the buffer
    uint64_t absent_ = 0;
};

}  // namespace
}  // namespace cowscope::process

using cowscope::process::before_unseen_writes;
using cowscope::process::KernelWrite;
using cowscope::process::real;
using cowscope::process::real_functions_are_resolved;

COWSCOPE_INTERPOSED ssize_t read(int fd, void* to, size_t bytes) {
    // Allocators read files from their own start, where nothing may be looked up.
    if (!real_functions_are_resolved()) return syscall(SYS_read, fd, to, bytes);
    const KernelWrite write(to, bytes);
    return write.wrote(real().read(fd, to, bytes));
}
COWSCOPE_INTERPOSED ssize_t pread64(int fd, void* to, size_t bytes, off_t offset) {
    if (!real_functions_are_resolved()) return syscall(SYS_pread64, fd, to, bytes, offset);
    const KernelWrite write(to, bytes);
    return write.wrote(real().pread(fd, to, bytes, offset));
}
COWSCOPE_INTERPOSED ssize_t pread(int fd, void* to, size_t bytes, off_t offset) {
    return pread64(fd, to, bytes, offset);
}
COWSCOPE_INTERPOSED ssize_t readv(int fd, const struct iovec* to, int count) {
    before_unseen_writes();
    return real().readv(fd, to, count);
}
COWSCOPE_INTERPOSED ssize_t preadv64(int fd, const struct iovec* to, int count, off_t offset) {
    before_unseen_writes();
    return real().preadv(fd, to, count, offset);
}
COWSCOPE_INTERPOSED ssize_t preadv(int fd, const struct iovec* to, int count, off_t offset) {
    return preadv64(fd, to, count, offset);
}
COWSCOPE_INTERPOSED ssize_t recv(int fd, void* to, size_t bytes, int flags) {
    const KernelWrite write(to, bytes);
    return write.wrote(real().recv(fd, to, bytes, flags));
}
COWSCOPE_INTERPOSED ssize_t recvfrom(int fd, void* __restrict to, size_t bytes, int flags,
                                     struct sockaddr* __restrict address,
                                     socklen_t* __restrict address_bytes) {
    const KernelWrite write(to, bytes);
    return write.wrote(real().recvfrom(fd, to, bytes, flags, address, address_bytes));
}
COWSCOPE_INTERPOSED ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
    before_unseen_writes();
    return real().recvmsg(fd, message, flags);
}
