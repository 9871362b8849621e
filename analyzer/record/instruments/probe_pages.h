// What the trackers' probes write to: arm a few pages, write one, and see whether exactly that one
// is named.
#pragma once

#include <cstddef>

#include "arch/processor.h"
#include "record/probes.h"

namespace cowscope::record {

inline constexpr size_t kProbePages = 8;
inline constexpr size_t kProbeBytes = kProbePages * arch::kPageBytes;
inline constexpr size_t kWrittenPage = 3;

// Notes the errno of the step that the outcome is at; false.
bool fail(ProbeOutcome& outcome, int error);

// kProbePages of private anonymous memory that are all present and written; nullptr on an error,
// which is in `outcome`. Never unmapped: a probe's process ends with it.
volatile char* populated_pages(ProbeOutcome& outcome);

// The first byte of the page that a probe writes.
inline volatile char* written_page(volatile char* pages) {
    return pages + kWrittenPage * arch::kPageBytes;
}

}  // namespace cowscope::record
