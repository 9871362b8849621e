#include "cli/reading_progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include "base/clock.h"
#include "report/format.h"
#include "trace/segment_reader.h"
#include "trace/trace.h"

namespace cowscope::cli {

namespace {

constexpr uint64_t kFirstShownNs = 1'000'000'000;
constexpr uint64_t kBetweenNs = 200'000'000;
// A report goes through the segments for what is in them, for who had which page when, and for the
// writes.
constexpr uint64_t kPasses = 3;

void show(const std::string& text) {
    const std::string bytes = "\r" + text + "\033[K";  // erases the rest of the line (ECMA-48, EL)
    std::fwrite(bytes.data(), 1, bytes.size(), stderr);
    std::fflush(stderr);
}

uint64_t bytes_of(const std::vector<std::string>& traces) {
    uint64_t total = 0;
    for (const std::string& trace : traces) {
        for (const std::string& path : trace::find_segments(trace)) {
            std::error_code error;
            const uint64_t bytes = std::filesystem::file_size(path, error);
            if (!error) total += bytes;
        }
    }
    return total;
}

}  // namespace

ReadingProgress::ReadingProgress(const std::vector<std::string>& traces, bool quiet)
    : traces_(traces), start_ns_(monotonic_ns()) {
    if (quiet || isatty(STDERR_FILENO) == 0) return;
    trace::listen_to_reading([this](uint64_t bytes) { read(bytes); });
}

ReadingProgress::~ReadingProgress() {
    trace::listen_to_reading({});
    if (shown_ns_ != 0) show("");
}

void ReadingProgress::read(uint64_t bytes) {
    read_bytes_ += bytes;
    const uint64_t now = monotonic_ns();
    if (now - start_ns_ < kFirstShownNs || now - shown_ns_ < kBetweenNs) return;
    if (shown_ns_ == 0) total_bytes_ = std::max<uint64_t>(bytes_of(traces_), 1);
    shown_ns_ = now;
    // What comes after the reading belongs to the work, too.
    const uint64_t percent = std::min<uint64_t>(100 * read_bytes_ / (kPasses * total_bytes_), 99);
    show(fmt::format("cowscope: reading {}: {} %", report::size_text(total_bytes_), percent));
}

}  // namespace cowscope::cli
