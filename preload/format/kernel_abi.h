// The kernel's interfaces that the headers of Debian 12 (Linux 6.1) and glibc lack, or have in
// part, for the shim and the analyzer. Each is copied by value from the header that is named with
// it, and never changes: it is kernel ABI.
//
// Where nothing else is named: include/uapi/linux/userfaultfd.h and include/uapi/linux/fs.h of
// Linux 6.7.
#pragma once

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#include <csignal>
#include <cstddef>
#include <cstdint>

namespace cowscope::kernel {

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

// Documentation/admin-guide/mm/pagemap.rst: bits of an 8-byte entry of /proc/PID/pagemap.
inline constexpr uint64_t kPagemapSoftDirty = uint64_t{1} << 55;
inline constexpr uint64_t kPagemapExclusive = uint64_t{1} << 56;
inline constexpr uint64_t kPagemapFileOrShared = uint64_t{1} << 61;
inline constexpr uint64_t kPagemapSwapped = uint64_t{1} << 62;
inline constexpr uint64_t kPagemapPresent = uint64_t{1} << 63;

// include/uapi/asm-generic/siginfo.h of Linux 5.19: what siginfo_t holds on x86-64 for a signal
// with si_code TRAP_PERF. glibc has no names for the last three; its si_ names are macros, so these
// members go without.
struct PerfSiginfo {
    int32_t signal_number;
    int32_t error;
    int32_t code;
    int32_t padding;
    uint64_t address;     // si_addr: the exact byte
    uint64_t perf_data;   // si_perf_data: perf_event_attr::sig_data
    uint32_t perf_type;   // si_perf_type: perf_event_attr::type
    uint32_t perf_flags;  // si_perf_flags
};
static_assert(offsetof(PerfSiginfo, address) == offsetof(siginfo_t, si_addr));
static_assert(offsetof(PerfSiginfo, perf_data) == 24);
static_assert(offsetof(PerfSiginfo, perf_flags) == 36);
inline constexpr int kTrapPerf = 6;
inline constexpr uint32_t kTrapPerfFlagAsync = 1 << 0;

// include/uapi/linux/capability.h; CAP_PERFMON came in Linux 5.8.
inline constexpr unsigned kCapSysPtrace = 19;
inline constexpr unsigned kCapSysAdmin = 21;
inline constexpr unsigned kCapPerfmon = 38;

}  // namespace cowscope::kernel
