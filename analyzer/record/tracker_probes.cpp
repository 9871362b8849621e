// The two trackers' probes: arm a few pages, write one, and see whether exactly that one is named.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "preload/format/kernel_abi.h"
#include "record/contained.h"
#include "record/probes.h"

namespace cowscope::record {

namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kPages = 8;
constexpr size_t kWrittenPage = 3;

bool fail(ProbeOutcome& outcome, int error) {
    outcome.error = error;
    return false;
}

// Private anonymous memory whose pages are all present and written.
volatile char* populated_pages(ProbeOutcome& outcome) {
    void* memory = mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        fail(outcome, errno);
        return nullptr;
    }
    // A huge page would be split by the probe; ask for small ones from the start.
    madvise(memory, kPages * kPageBytes, MADV_NOHUGEPAGE);
    auto* pages = static_cast<volatile char*>(memory);
    for (size_t page = 0; page < kPages; ++page) pages[page * kPageBytes] = 1;
    return pages;
}

int open_userfaultfd(ProbeOutcome& outcome) {
    const auto by_call =
        static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY));
    if (by_call >= 0) return by_call;
    const int call_error = errno;

    const int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device >= 0) {
        const int by_device =
            ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
        close(device);
        if (by_device >= 0) {
            outcome.device = true;
            return by_device;
        }
    }
    // The system call is what most users can be given; the device's error would mislead them.
    fail(outcome, call_error);
    return -1;
}

// Regions of written pages among `pages`; empty on an error, which is in `outcome`.
std::optional<std::array<kernel::PageRegion, kPages>> scan(ProbeOutcome& outcome, int pagemap,
                                                           const volatile char* pages,
                                                           uint64_t flags, size_t& found) {
    std::array<kernel::PageRegion, kPages> regions{};
    kernel::PagemapScanArgument argument{};
    argument.size = sizeof(argument);
    argument.flags = flags;
    argument.start = reinterpret_cast<uintptr_t>(pages);
    argument.end = argument.start + kPages * kPageBytes;
    argument.vec = reinterpret_cast<uintptr_t>(regions.data());
    argument.vec_len = regions.size();
    argument.category_mask = kernel::kPageIsWritten;
    argument.return_mask = kernel::kPageIsWritten;
    const int result = ioctl(pagemap, kernel::kPagemapScan, &argument);
    if (result < 0) {
        fail(outcome, errno);
        return std::nullopt;
    }
    found = static_cast<size_t>(result);
    return regions;
}

bool userfaultfd_steps(ProbeOutcome& outcome) {
    volatile char* pages = populated_pages(outcome);
    if (!pages) return false;

    outcome.step = ProbeStep::open;
    const int uffd = open_userfaultfd(outcome);
    if (uffd < 0) return false;

    outcome.step = ProbeStep::features;
    uffdio_api api{};
    api.api = UFFD_API;
    api.features = kernel::kUffdFeatureWpAsync;
    if (ioctl(uffd, UFFDIO_API, &api) != 0) return fail(outcome, errno);
    // Some kernels accept the request for a feature that they were built without.
    if ((api.features & kernel::kUffdFeatureWpAsync) == 0) return fail(outcome, EINVAL);

    outcome.step = ProbeStep::attach;
    uffdio_register registration{};
    registration.range.start = reinterpret_cast<uintptr_t>(pages);
    registration.range.len = kPages * kPageBytes;
    registration.mode = UFFDIO_REGISTER_MODE_WP;
    if (ioctl(uffd, UFFDIO_REGISTER, &registration) != 0) return fail(outcome, errno);

    outcome.step = ProbeStep::read_table;
    const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (pagemap < 0) return fail(outcome, errno);

    outcome.step = ProbeStep::protect;
    size_t found = 0;
    if (!scan(outcome, pagemap, pages, kernel::kScanWpMatching | kernel::kScanCheckWpAsync,
              found)) {
        return false;
    }

    outcome.step = ProbeStep::scan;
    if (!scan(outcome, pagemap, pages, 0, found)) return false;
    const size_t written_before = found;
    pages[kWrittenPage * kPageBytes] = 2;
    const auto regions = scan(outcome, pagemap, pages, 0, found);
    if (!regions) return false;

    outcome.step = ProbeStep::verify;
    const uint64_t expected = reinterpret_cast<uintptr_t>(pages) + kWrittenPage * kPageBytes;
    if (written_before != 0 || found != 1 || (*regions)[0].start != expected ||
        (*regions)[0].end != expected + kPageBytes) {
        return fail(outcome, 0);
    }
    outcome.step = ProbeStep::done;
    return true;
}

bool soft_dirty_steps(ProbeOutcome& outcome) {
    volatile char* pages = populated_pages(outcome);
    if (!pages) return false;

    outcome.step = ProbeStep::open;
    const int clear_refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (clear_refs < 0) return fail(outcome, errno);

    outcome.step = ProbeStep::read_table;
    const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (pagemap < 0) return fail(outcome, errno);

    // Documentation/admin-guide/mm/soft-dirty.rst: 4 clears the bits of the whole address space.
    // The write succeeds on kernels that have no such bits, too.
    outcome.step = ProbeStep::protect;
    if (write(clear_refs, "4", 1) != 1) return fail(outcome, errno);

    pages[kWrittenPage * kPageBytes] = 2;

    outcome.step = ProbeStep::scan;
    std::array<uint64_t, kPages> entries{};
    const auto offset =
        static_cast<off_t>(reinterpret_cast<uintptr_t>(pages) / kPageBytes * sizeof(uint64_t));
    const ssize_t got = pread(pagemap, entries.data(), sizeof(entries), offset);
    if (got != static_cast<ssize_t>(sizeof(entries))) return fail(outcome, got < 0 ? errno : EIO);

    outcome.step = ProbeStep::verify;
    for (size_t page = 0; page < kPages; ++page) {
        const bool dirty = (entries[page] & kernel::kPagemapSoftDirty) != 0;
        if (dirty != (page == kWrittenPage)) return fail(outcome, 0);
    }
    outcome.step = ProbeStep::done;
    return true;
}

}  // namespace

ProbeOutcome probe_userfaultfd() {
    return run_contained([](ProbeOutcome& outcome) { userfaultfd_steps(outcome); });
}

ProbeOutcome probe_soft_dirty() {
    return run_contained([](ProbeOutcome& outcome) { soft_dirty_steps(outcome); });
}

}  // namespace cowscope::record
