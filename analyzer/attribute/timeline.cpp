#include "attribute/timeline.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace cowscope::attribute {
namespace {

// One for the end; the rest of the room is the witness's.
constexpr size_t kEventPoints = kMaxTimelinePoints - trace::kMaxOutsideSamples - 1;

struct Moment {
    uint64_t time_ns;
    uint64_t copied_pages;
};

std::vector<Moment> scanned_moments(const trace::ProcessTrace& process) {
    std::vector<Moment> moments;
    if (!process.outside) return moments;
    // A scan counts what was copied since the last fork of the process.
    std::map<uint32_t, uint64_t> copied_before;
    uint64_t copied = 0;
    for (const trace::Epoch& epoch : process.epochs) {
        copied_before[epoch.number] = copied;
        copied += epoch.copied.pages();
    }
    for (const trace::OutsideSample& sample : process.outside->samples) {
        const auto before = copied_before.find(sample.epoch);
        if (before == copied_before.end()) continue;
        moments.push_back({sample.time_ns, before->second + sample.copied_pages});
    }
    return moments;
}

// In equal steps of events.
std::vector<Moment> witnessed_moments(const std::vector<CopyTime>& times) {
    std::vector<Moment> moments;
    const size_t step = times.size() / kEventPoints + 1;
    double copied = 0;
    for (size_t i = 1; i <= times.size(); ++i) {
        copied += times[i - 1].pages;
        if (i % step != 0) continue;
        moments.push_back({times[i - 1].time_ns, static_cast<uint64_t>(std::llround(copied))});
    }
    return moments;
}

}  // namespace

std::vector<TimelinePoint> timeline_of(const trace::ProcessTrace& process, const Copies& copies,
                                       uint64_t trace_start_ns) {
    std::vector<Moment> moments = scanned_moments(process);
    if (moments.empty() && copies.copied_pages == 0) return {};
    const std::vector<Moment> witnessed = witnessed_moments(copies.copy_times);
    moments.insert(moments.end(), witnessed.begin(), witnessed.end());
    std::stable_sort(moments.begin(), moments.end(),
                     [](const Moment& a, const Moment& b) { return a.time_ns < b.time_ns; });
    const uint64_t last_ns = moments.empty() ? 0 : moments.back().time_ns;
    moments.push_back({std::max(process.last_time_ns, last_ns), copies.copied_pages});

    std::vector<TimelinePoint> points;
    uint64_t copied = 0;
    for (const Moment& moment : moments) {
        // Each source misses what the other one saw, and memory that a process gave up is in later
        // counts no more.
        copied = std::max(copied, std::min(moment.copied_pages, copies.copied_pages));
        const uint64_t time_ns = std::max(moment.time_ns, trace_start_ns) - trace_start_ns;
        const bool is_new = points.empty() || points.back().time_ns != time_ns ||
                            points.back().copied_pages != copied;
        if (!is_new) continue;
        points.push_back({static_cast<int>(process.pid()), time_ns, copied});
    }
    return points;
}

}  // namespace cowscope::attribute
