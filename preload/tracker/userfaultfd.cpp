#include "tracker/userfaultfd.h"

#include <errno.h>

#include "support/descriptor.h"

#include "support/poison.h"

namespace cowscope::tracker {

namespace {

constexpr int kFlags = O_CLOEXEC | O_NONBLOCK;

// The system call, or the device where only that is allowed (it goes by file permission).
long open_userfaultfd() {
    const long uffd = sys::syscall1(SYS_userfaultfd, kFlags | UFFD_USER_MODE_ONLY);
    if (!sys::failed(uffd)) return uffd;
    const int device = sys::open("/dev/userfaultfd", O_RDWR);
    if (device < 0) return uffd;
    const long from_device =
        sys::syscall3(SYS_ioctl, device, static_cast<long>(kUserfaultfdNew), kFlags);
    sys::close(device);
    return sys::failed(from_device) ? uffd : from_device;
}

}  // namespace

int Userfaultfd::open() {
    const long uffd = open_userfaultfd();
    if (sys::failed(uffd)) return static_cast<int>(uffd);
    struct uffdio_api api = {};
    api.api = UFFD_API;
    api.features = kUffdFeatureWpAsync | kUffdFeatureWpUnpopulated;
    int result = sys::ioctl(static_cast<int>(uffd), UFFDIO_API, &api);
    int pagemap = -1;
    if (result == 0) {
        pagemap = sys::open("/proc/self/pagemap", O_RDONLY);
        if (pagemap < 0) result = pagemap;
    }
    if (result != 0) {
        sys::close(static_cast<int>(uffd));
        return result;
    }
    uffd_ = move_descriptor_up(static_cast<int>(uffd));
    pagemap_ = move_descriptor_up(pagemap);
    return 0;
}

void Userfaultfd::close() {
    if (uffd_ >= 0) sys::close(uffd_);
    if (pagemap_ >= 0) sys::close(pagemap_);
    uffd_ = pagemap_ = -1;
}

int Userfaultfd::add(uint64_t start, uint64_t end) {
    struct uffdio_register registration = {};
    registration.range.start = start;
    registration.range.len = end - start;
    registration.mode = UFFDIO_REGISTER_MODE_WP;
    return sys::ioctl(uffd_, UFFDIO_REGISTER, &registration);
}

namespace {

// Pages that hold something of the program's. The shared zero page does not: a write to it copies
// nothing.
ScanQuery present_pages() {
    ScanQuery query;
    query.forbidden = kPageIsPfnZero;
    query.any_of = kPageIsPresent | kPageIsSwapped;
    return query;
}

}  // namespace

int Userfaultfd::list_present(Arena& arena, PageRegion* buffer, uint64_t used_start,
                              uint64_t used_end, PageRuns* inherited) {
    ScanQuery query = present_pages();
    query.required = kPageIsWpAllowed;
    query.reported = kPageIsWpAllowed;
    bool complete = true;
    const auto keep = [&](const PageRegion& region) {
        complete = inherited->append(arena, region.start, region.end) && complete;
    };
    int result = scan_pages(pagemap_, query, 0, used_start, buffer, keep);
    if (result == 0) {
        result = scan_pages(pagemap_, query, used_end, kAddressSpaceEnd, buffer, keep);
    }
    return result == 0 && !complete ? -ENOMEM : result;
}

int Userfaultfd::protect(PageRegion* buffer, uint64_t used_start, uint64_t used_end) {
    ScanQuery query = present_pages();
    query.required = kPageIsWpAllowed | kPageIsWritten;
    query.reported = kPageIsWpAllowed;
    query.write_protect = true;
    const auto ignore = [](const PageRegion&) {};
    const int result = scan_pages(pagemap_, query, 0, used_start, buffer, ignore);
    if (result != 0) return result;
    return scan_pages(pagemap_, query, used_end, kAddressSpaceEnd, buffer, ignore);
}

int Userfaultfd::take_census(Arena& arena, PageRegion* buffer, const process::Mappings& mappings,
                             const PageRuns& inherited, const OwnMemory& own, bool is_protected,
                             Census* census) {
    // Telling anonymous pages from a file's reads a structure of the kernel's for every page and
    // takes ten times as long as the rest, so it is asked only of mappings of files.
    bool complete = true;
    size_t cursor = 0;
    const auto take = [&](const PageRegion& region) {
        if (own.overlaps(region.start, region.end)) return;
        uint64_t inherited_bytes = 0;
        inherited.intersect(region.start, region.end, &cursor, [&](uint64_t from, uint64_t to) {
            inherited_bytes += to - from;
            if (is_protected && (region.categories & kPageIsWritten) != 0) {
                complete = census->copied.append(arena, from, to) && complete;
            }
        });
        census->fresh_pages += (region.end - region.start - inherited_bytes) / kPageBytes;
    };
    for (const process::Mapping& mapping : mappings.all()) {
        if (!mapping.is_private || mapping.special) continue;
        ScanQuery query = present_pages();
        // A copy is an anonymous page whatever it was copied from.
        if (mapping.is_file) query.forbidden |= kPageIsFile;
        query.reported = kPageIsWritten;
        const int result = scan_pages(pagemap_, query, mapping.start, mapping.end, buffer, take);
        if (result != 0) return result;
    }
    return complete ? 0 : -ENOMEM;
}

}  // namespace cowscope::tracker
