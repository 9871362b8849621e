// The kernel interfaces that Debian 12's headers lack or have in part.
// Sources: include/uapi/linux/userfaultfd.h and include/uapi/linux/fs.h of Linux 6.7, where no
// other version is named.
#pragma once

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include <cstdint>

namespace cowscope::tracker {

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

inline constexpr unsigned long kUserfaultfdNew = _IO(0xAA, 0x00);  // on /dev/userfaultfd, Linux 6.1
inline constexpr uint64_t kUffdFeatureWpUnpopulated = uint64_t{1} << 13;
inline constexpr uint64_t kUffdFeatureWpAsync = uint64_t{1} << 15;

struct PageRegion {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
};

struct PagemapScanArgument {
    uint64_t size;
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end;
    uint64_t vec;
    uint64_t vec_len;
    uint64_t max_pages;
    uint64_t category_inverted;
    uint64_t category_mask;
    uint64_t category_anyof_mask;
    uint64_t return_mask;
};
static_assert(sizeof(PagemapScanArgument) == 96);

inline constexpr unsigned long kPagemapScan = _IOWR('f', 16, PagemapScanArgument);
inline constexpr uint64_t kScanWpMatching = 1 << 0;
inline constexpr uint64_t kScanCheckWpAsync = 1 << 1;

inline constexpr uint64_t kPageIsWpAllowed = 1 << 0;
inline constexpr uint64_t kPageIsWritten = 1 << 1;
inline constexpr uint64_t kPageIsFile = 1 << 2;
inline constexpr uint64_t kPageIsPresent = 1 << 3;
inline constexpr uint64_t kPageIsSwapped = 1 << 4;
inline constexpr uint64_t kPageIsPfnZero = 1 << 5;
inline constexpr uint64_t kPageIsHuge = 1 << 6;
inline constexpr uint64_t kPageIsSoftDirty = 1 << 7;  // Linux 6.8

}  // namespace cowscope::tracker
