#include "tracker/userfaultfd.h"

#include <errno.h>

#include "arch/cpu.h"
#include "support/descriptor.h"
#include "tracker/own_pagemap.h"

#include "support/poison.h"

namespace cowscope::tracker {

namespace {

constexpr int kFlags = O_CLOEXEC | O_NONBLOCK;

// The system call, or the device where only that is allowed (it goes by file permission).
long open_userfaultfd(bool* is_by_device) {
    const long uffd = sys::syscall1(SYS_userfaultfd, kFlags | UFFD_USER_MODE_ONLY);
    if (!sys::failed(uffd)) return uffd;
    const int device = sys::open("/dev/userfaultfd", O_RDWR);
    if (device < 0) return uffd;
    // The argument is no address.
    const long from_device =
        sys::ioctl(device, kernel::kUserfaultfdNew, reinterpret_cast<void*>(uint64_t{kFlags}));
    sys::close(device);
    *is_by_device = !sys::failed(from_device);
    return sys::failed(from_device) ? uffd : from_device;
}

}  // namespace

int Userfaultfd::open(const Descriptor& pagemap_of_look) {
    const long uffd = open_userfaultfd(&is_by_device_);
    if (sys::failed(uffd)) return static_cast<int>(uffd);
    struct uffdio_api api = {};
    api.api = UFFD_API;
    api.features = kernel::kUffdFeatureWpAsync | kernel::kUffdFeatureWpUnpopulated;
    int result = sys::ioctl(static_cast<int>(uffd), UFFDIO_API, &api);
    int pagemap = -1;
    if (result == 0) {
        // The program may have given up the right to open it.
        pagemap = pagemap_of_look.is_ours()
                      ? sys::fcntl(pagemap_of_look.number(), F_DUPFD_CLOEXEC, 0)
                      : open_own_pagemap();
        if (pagemap < 0) result = pagemap;
    }
    if (result != 0) {
        sys::close(static_cast<int>(uffd));
        return result;
    }
    const bool is_kept = uffd_.keep(static_cast<int>(uffd));
    if (pagemap_.keep(pagemap) && is_kept) return 0;
    close();
    return -EBADF;
}

void Userfaultfd::close() {
    uffd_.close();
    pagemap_.close();
}

void Userfaultfd::forget() {
    uffd_.forget();
    pagemap_.forget();
}

int Userfaultfd::add(uint64_t start, uint64_t end) {
    struct uffdio_register registration = {};
    registration.range.start = start;
    registration.range.len = end - start;
    registration.mode = UFFDIO_REGISTER_MODE_WP;
    return sys::ioctl(uffd_.number(), UFFDIO_REGISTER, &registration);
}

int Userfaultfd::list_present(Arena& arena, kernel::PageRegion* buffer, const AddressRange& used,
                              PageRuns* inherited) {
    ScanQuery query = present_pages();
    query.required = kernel::kPageIsWpAllowed;
    query.reported = kernel::kPageIsWpAllowed;
    bool complete = true;
    const auto keep = [&](const kernel::PageRegion& region) {
        complete = inherited->append(arena, region.start, region.end) && complete;
    };
    int result = scan_pages(pagemap_.number(), query, 0, used.start, buffer, keep);
    if (result == 0) {
        result =
            scan_pages(pagemap_.number(), query, used.end, cpu::kAddressSpaceEnd, buffer, keep);
    }
    return result == 0 && !complete ? -ENOMEM : result;
}

int Userfaultfd::protect_range(kernel::PageRegion* buffer, const AddressRange& range) {
    ScanQuery query = present_pages();
    query.required = kernel::kPageIsWpAllowed | kernel::kPageIsWritten;
    query.reported = kernel::kPageIsWpAllowed;
    query.write_protect = true;
    return scan_pages(pagemap_.number(), query, range.start, range.end, buffer,
                      [](const kernel::PageRegion&) {});
}

// Without categories and regions to tell, the kernel needs 27 ns a page in place of some 40
// (linux/fs/proc/task_mmu.c, pagemap_scan_pmd_entry(), "fast path"). Where there is no page it
// leaves a marker that later scans take for a page, and makes page tables for it.
int Userfaultfd::protect_all_of(const AddressRange& range) {
    kernel::PagemapScanArgument scan = {};
    scan.size = sizeof(scan);
    scan.flags = kernel::kScanWpMatching;
    scan.start = range.start;
    scan.end = range.end;
    int result = 0;
    do {
        result = sys::ioctl(pagemap_.number(), kernel::kPagemapScan, &scan);
    } while (result == -EINTR);
    return result;
}

int Userfaultfd::protect_within(kernel::PageRegion* buffer, const AddressRange& range,
                                const PageRuns& present) {
    // Shorter runs are not worth two system calls.
    constexpr uint64_t kLongRunBytes = 256 * cpu::kPageBytes;
    uint64_t done = range.start;
    int result = 0;
    size_t cursor = 0;
    present.intersect(range.start, range.end, &cursor, [&](uint64_t start, uint64_t end) {
        if (result != 0 || end - start < kLongRunBytes) return;
        result = protect_range(buffer, {done, start});
        if (result == 0) result = protect_all_of({start, end});
        done = end;
    });
    return result != 0 ? result : protect_range(buffer, {done, range.end});
}

int Userfaultfd::protect(kernel::PageRegion* buffer, const AddressRange& used,
                         const PageRuns& present) {
    const int result = protect_within(buffer, {0, used.start}, present);
    return result != 0 ? result
                       : protect_within(buffer, {used.end, cpu::kAddressSpaceEnd}, present);
}

int Userfaultfd::watch_moved(kernel::PageRegion* buffer, const AddressRange& range) {
    const int result = add(range.start, range.end);
    return result != 0 ? result : protect_range(buffer, range);
}

void Userfaultfd::unprotect(const AddressRange& range) {
    struct uffdio_writeprotect argument = {};
    argument.range = {range.start, range.end - range.start};
    sys::ioctl(uffd_.number(), UFFDIO_WRITEPROTECT, &argument);
}

// Not the whole range: before Linux 6.12 that would take from others what is theirs
// (mm/userfaultfd.c, userfaultfd_unregister()).
bool Userfaultfd::give_up(kernel::PageRegion* buffer, const AddressRange& range) {
    ScanQuery query;
    query.required = query.reported = kernel::kPageIsWpAllowed;
    bool has_some = false;
    scan_pages(pagemap_.number(), query, range.start, range.end, buffer,
               [&](const kernel::PageRegion& region) {
                   struct uffdio_range part = {region.start, region.end - region.start};
                   const int result = sys::ioctl(uffd_.number(), UFFDIO_UNREGISTER, &part);
                   has_some = has_some || result == 0;
               });
    return has_some;
}

int Userfaultfd::scan_written(kernel::PageRegion* buffer, const AddressRange& range, bool is_file,
                              bool is_protected, CensusTaker* taker) {
    ScanQuery query = present_pages();
    // A copy is an anonymous page whatever it was copied from. Telling those from a file's reads a
    // structure of the kernel's for every page, and takes ten times as long as the rest: it is
    // asked only where there is a file.
    if (is_file) query.forbidden |= kernel::kPageIsFile;
    query.reported = kernel::kPageIsWpAllowed | kernel::kPageIsWritten;
    return scan_pages(pagemap_.number(), query, range.start, range.end, buffer,
                      [&](const kernel::PageRegion& region) {
                          // A mapping that is not watched reads as written altogether.
                          if (!is_file && (region.categories & kernel::kPageIsWpAllowed) == 0) {
                              taker->take_fresh(region.start, region.end);
                              return;
                          }
                          const bool written = (region.categories & kernel::kPageIsWritten) != 0;
                          taker->take(region.start, region.end, written && is_protected);
                      });
}

}  // namespace cowscope::tracker
