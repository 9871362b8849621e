#include "cli/recording_progress.h"

#include <algorithm>

#include <fmt/format.h>

#include "preload/format/trace_format.h"
#include "report/format.h"

namespace cowscope::cli {

std::optional<std::string> RecordingProgress::line_at(uint64_t now_ns,
                                                      const observe::SeenSoFar& seen) {
    if (now_ns < next_ns_) return std::nullopt;
    const uint64_t passed_ns = now_ns - start_ns_;
    next_ns_ = now_ns + std::min(passed_ns, kMostNs);
    const uint64_t since_ns = now_ns - std::max(last_ns_, start_ns_);
    // Of processes that have executed another program, copies may be counted no more.
    const uint64_t more = seen.copied_pages - std::min(seen.copied_pages, last_copied_);
    const uint64_t rate = since_ns == 0
                              ? 0
                              : static_cast<uint64_t>(static_cast<double>(more) * kSecondNs /
                                                      static_cast<double>(since_ns));
    last_ns_ = now_ns;
    last_copied_ = seen.copied_pages;
    return fmt::format("{} s: {} processes, {} running; {} pages, {}, copied so far, {} a second",
                       passed_ns / kSecondNs, report::grouped(seen.processes),
                       report::grouped(seen.running), report::grouped(seen.copied_pages),
                       report::size_text(seen.copied_pages * trace::kPageBytes),
                       report::grouped(rate));
}

}  // namespace cowscope::cli
