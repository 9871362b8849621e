// The tracker `userfaultfd`.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "preload/format/kernel_abi.h"
#include "record/instruments.h"
#include "record/instruments/missing.h"
#include "record/instruments/probe_pages.h"

namespace cowscope::record {

namespace {

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
std::optional<std::array<kernel::PageRegion, kProbePages>> scan(ProbeOutcome& outcome, int pagemap,
                                                                const volatile char* pages,
                                                                uint64_t flags, size_t& found) {
    std::array<kernel::PageRegion, kProbePages> regions{};
    kernel::PagemapScanArgument argument{};
    argument.size = sizeof(argument);
    argument.flags = flags;
    argument.start = reinterpret_cast<uintptr_t>(pages);
    argument.end = argument.start + kProbeBytes;
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

bool take_steps(ProbeOutcome& outcome) {
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
    registration.range.len = kProbeBytes;
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
    *written_page(pages) = 2;
    const auto regions = scan(outcome, pagemap, pages, 0, found);
    if (!regions) return false;

    outcome.step = ProbeStep::verify;
    const uint64_t expected = reinterpret_cast<uintptr_t>(written_page(pages));
    if (written_before != 0 || found != 1 || (*regions)[0].start != expected ||
        (*regions)[0].end != expected + arch::kPageBytes) {
        return fail(outcome, 0);
    }
    outcome.step = ProbeStep::done;
    return true;
}

constexpr const char* kNewerKernel = "Linux 6.7 or newer with CONFIG_USERFAULTFD";

Capability userfaultfd_not_opened(const ProbeOutcome& outcome, const Machine& machine) {
    if ((outcome.error == EPERM || outcome.error == ENOSYS) && is_filtered(machine)) {
        return missing(outcome,
                       "a seccomp filter refuses userfaultfd, as Docker's default profile does",
                       "allow userfaultfd in the container's seccomp profile, or: docker run "
                       "--security-opt seccomp=unconfined");
    }
    if (outcome.error == ENOSYS) {
        return missing(outcome, "the kernel was built without userfaultfd", kNewerKernel);
    }
    if (outcome.error == EINVAL) {
        return missing(outcome, "the kernel is too old to know UFFD_USER_MODE_ONLY", kNewerKernel);
    }
    if (outcome.error == EPERM || outcome.error == EACCES) {
        return missing(outcome, fmt::format("userfaultfd is refused: {}", describe(outcome.error)),
                       "sudo sysctl vm.unprivileged_userfaultfd=1, or give the user access to "
                       "/dev/userfaultfd");
    }
    return unexpected(outcome, "userfaultfd cannot be opened");
}

Capability explain(const ProbeOutcome& outcome, const Machine& machine) {
    if (outcome.ok()) {
        return {true, 0, outcome.device ? "through /dev/userfaultfd" : std::string(), {}};
    }
    if (outcome.killed_by != 0) return unexpected(outcome, "userfaultfd");
    switch (outcome.step) {
        case ProbeStep::open:
            return userfaultfd_not_opened(outcome, machine);
        case ProbeStep::features:
            return missing(outcome,
                           "the kernel's userfaultfd lacks asynchronous write-protection "
                           "(UFFD_FEATURE_WP_ASYNC)",
                           kNewerKernel);
        case ProbeStep::attach:
            return unexpected(outcome, "memory cannot be registered with userfaultfd");
        case ProbeStep::read_table:
            return unreadable_page_table(outcome);
        case ProbeStep::protect:
        case ProbeStep::scan:
            return missing(
                outcome,
                fmt::format("the kernel's pagemap lacks PAGEMAP_SCAN: {}", describe(outcome.error)),
                kNewerKernel);
        case ProbeStep::verify:
            return missing(outcome, "the kernel names other pages than those that were written",
                           kNewerKernel);
        default:
            return unexpected(outcome, "userfaultfd");
    }
}

void probe(ProbeOutcome& outcome) {
    take_steps(outcome);
}

}  // namespace

constinit const Instrument kUserfaultfd = {"userfaultfd", probe, explain};

}  // namespace cowscope::record
