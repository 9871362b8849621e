#include "tracker/own_writes.h"

#include "arch/cpu.h"

#include "support/poison.h"

namespace cowscope::tracker {
namespace {

// Faults of this thread, those that it took inside the kernel included.
uint64_t own_faults() {
    struct rusage usage = {};
    sys::syscall2(SYS_getrusage, RUSAGE_THREAD, sys::word(&usage));
    return static_cast<uint64_t>(usage.ru_minflt) + static_cast<uint64_t>(usage.ru_majflt);
}

}  // namespace

bool OwnWrites::is_written(uint64_t page) {
    const uint64_t before = own_faults();
    const int result =
        sys::madvise(reinterpret_cast<void*>(page), cpu::kPageBytes, sys::kMadvPopulateWrite);
    return result != 0 || own_faults() == before;
}

bool OwnWrites::include(uint64_t page) {
    if (page >= huge_.start && page < huge_.end) return is_huge_written_;
    PageFacts facts;
    // A userfaultfd of the program's own would make this thread wait for whoever answers it.
    if (!look_.ask(page, &facts) || facts.is_protected) return true;
    const bool written = is_written(page);
    if (facts.is_huge) {
        huge_.start = page & ~(cpu::kHugePageBytes - 1);
        huge_.end = huge_.start + cpu::kHugePageBytes;
        is_huge_written_ = written;
    }
    return written;
}

}  // namespace cowscope::tracker
