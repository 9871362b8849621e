// Kernel definitions that the headers of Debian 12 (Linux 6.1) and glibc lack, beside those that
// the library needs too (preload/tracker/kernel_abi.h). Each is copied by value from the uapi
// header that is named with it and never changes: it is kernel ABI.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>

namespace cowscope::record::abi {

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

}  // namespace cowscope::record::abi
