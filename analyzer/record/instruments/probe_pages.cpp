#include "record/instruments/probe_pages.h"

#include <sys/mman.h>

#include <cerrno>

namespace cowscope::record {

bool fail(ProbeOutcome& outcome, int error) {
    outcome.error = error;
    return false;
}

volatile char* populated_pages(ProbeOutcome& outcome) {
    void* memory =
        mmap(nullptr, kProbeBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        fail(outcome, errno);
        return nullptr;
    }
    // A huge page would be split by the probe; ask for small ones from the start.
    madvise(memory, kProbeBytes, MADV_NOHUGEPAGE);
    auto* pages = static_cast<volatile char*>(memory);
    for (size_t page = 0; page < kProbePages; ++page) pages[page * arch::kPageBytes] = 1;
    return pages;
}

}  // namespace cowscope::record
