#include "observe/outside_scan.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <exception>
#include <optional>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/read_file.h"
#include "observe/segment_name.h"
#include "trace/mappings.h"
#include "trace/trace.h"

namespace cowscope::observe {

namespace {

// A segment is created shortly before it is mapped.
constexpr unsigned kMostUnrecognised = 3;
// vm.max_map_count lines (65,530 unless raised) of usual length are 7 MB.
constexpr size_t kMostMapsBytes = size_t{64} << 20;

uint64_t thread_cpu_ns() {
    return read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

}  // namespace

OutsideScan::OutsideScan(std::string folder, const ScanPace& pace, ShareOfBound* share)
    : folder_(std::move(folder)),
      pace_(pace),
      share_(share),
      next_look_ns_(monotonic_ns() + pace.interval_ns) {}

uint64_t OutsideScan::tick() {
    const uint64_t now = monotonic_ns();
    if (now < next_look_ns_) return next_look_ns_ - now;
    const uint64_t cpu_before = thread_cpu_ns();
    look_at_all(pace_.round_cpu_ns);
    const uint64_t work_ns = thread_cpu_ns() - cpu_before;
    const uint64_t rest_ns = std::max(pace_.interval_ns, work_ns * pace_.rest_per_work);
    next_look_ns_ = monotonic_ns() + rest_ns;
    return rest_ns;
}

void OutsideScan::finish() {
    look_at_all(pace_.finish_cpu_ns);
}

void OutsideScan::look_at_all(uint64_t cpu_ns) {
    const uint64_t stop_at = thread_cpu_ns() + cpu_ns;
    try {
        find_segments();
        for (size_t left = followed_.size(); left != 0; --left) {
            Followed followed = std::move(followed_.front());
            followed_.pop_front();
            if (look_at(&followed) == Verdict::keep) {
                followed_.push_back(std::move(followed));
            } else {
                copies_of_dropped_ += followed.earlier_copies + followed.last_sample.copied_pages;
            }
            if (thread_cpu_ns() >= stop_at) break;
        }
    } catch (const std::exception& error) {
        // Out of memory: whose turn it was is looked at no more.
        note(fmt::format("a look from outside failed: {}", error.what()));
    }
}

void OutsideScan::find_segments() {
    for (std::string& name : trace::list_segments(folder_)) {
        const auto parsed = parse_segment_name(name);
        if (!parsed || !known_segments_.insert(name).second) continue;
        Followed followed{SegmentTail(folder_ + "/" + name)};
        followed.segment = std::move(name);
        followed.pid = parsed->pid;
        followed.created_ns = parsed->created_ns;
        followed_.push_back(std::move(followed));
    }
}

SeenSoFar OutsideScan::seen_so_far() const {
    SeenSoFar seen{known_segments_.size(), followed_.size(), copies_of_dropped_};
    for (const Followed& each : followed_) {
        seen.copied_pages += each.earlier_copies + each.last_sample.copied_pages;
    }
    return seen;
}

OutsideScan::Verdict OutsideScan::look_at(Followed* followed) {
    const uint64_t now = monotonic_ns();
    trace::FateRecord fate{};
    fate.gone_ns = now;
    const auto process = OtherProcess::open(followed->pid);
    const auto status = process ? process->status() : std::nullopt;
    if (!status) {
        tell_fate(followed, fate);
        return Verdict::drop;
    }
    try {
        followed->tail.read_on();
    } catch (const Error&) {
        // Not a segment yet, or one that the report will complain about.
        return ++followed->unrecognised < kMostUnrecognised ? Verdict::keep : Verdict::drop;
    }
    if (status->is_zombie()) {
        if (followed->tail.process()) {
            fate = fate_of_zombie(*status, process->may_inspect(), *followed->tail.process(), now);
        }
        tell_fate(followed, fate);
        return Verdict::drop;
    }
    return followed->tail.can_be_scanned() ? scan(*process, followed) : Verdict::keep;
}

// Asking who else maps a page takes thirty times as long as whether it was written. So where there
// are many, it is done at each eighth scan.
void OutsideScan::count_alone(int pagemap, const trace::OutsideSample& sample, Followed* followed) {
    constexpr uint64_t kFewPages = uint64_t{1} << 14;
    constexpr unsigned kScansACount = 8;
    if (inherited_.pages() > kFewPages && followed->scans_until_count != 0) {
        --followed->scans_until_count;
        return;
    }
    followed->scans_until_count = kScansACount - 1;
    const uint64_t alone = scanner_.count_alone(pagemap, inherited_, census_.copied);
    const uint64_t all = sample.copied_pages + sample.fresh_pages + alone;
    if (followed->most.time_ns != 0 && all <= followed->most_private) return;
    followed->most_private = all;
    followed->most.time_ns = sample.time_ns;
    followed->most.fresh_pages = sample.fresh_pages;
    followed->most.held_alone_pages = alone;
    followed->most.epoch = sample.epoch;
}

OutsideScan::Verdict OutsideScan::scan(const OtherProcess& process, Followed* followed) {
    // Both files belong to the memory that the process had when they were opened, for good: if the
    // segment is mapped in the one that was opened last, it is the right memory in both.
    const FileDescriptor pagemap = process.open_file("pagemap");
    const FileDescriptor maps = process.open_file("maps");
    const auto text = maps.is_open() ? read_all(maps.get(), kMostMapsBytes) : std::nullopt;
    if (!pagemap.is_open() || !text) return Verdict::keep;
    const trace::Mappings mappings(*text, monotonic_ns());
    if (!maps_file(mappings, followed->segment)) {
        if (++followed->unrecognised < kMostUnrecognised) return Verdict::keep;
        trace::FateRecord fate{};
        fate.gone_ns = mappings.time_ns();
        tell_fate(followed, fate);
        return Verdict::drop;
    }
    followed->unrecognised = 0;

    SegmentTail& tail = followed->tail;
    const uint64_t turns = tail.turns();
    const uint32_t epoch = tail.epoch()->number;
    uint64_t start_ns = 0;
    census_.clear();
    try {
        tail.read_inherited(&inherited_);
        const trace::Tracker tracker = tail.epoch()->tracker;
        const auto ranges = ranges_to_scan(mappings, tail.own(), scanner_.small_gap_bytes(tracker));
        start_ns = monotonic_ns();
        const int error =
            scanner_.take_census(pagemap.get(), tracker, ranges, inherited_, &census_);
        if (error != 0) {
            if (error != ESRCH) note_no_scan(std::strerror(error));
            return Verdict::keep;
        }
        tail.read_on();
    } catch (const Error& error) {
        note_no_scan(error.what());
        return Verdict::drop;
    }
    const trace::AccountRecord most_before = followed->most;
    const uint64_t most_private_before = followed->most_private;
    count_alone(pagemap.get(), {start_ns, census_.copied.pages(), census_.fresh_pages, epoch, 0},
                followed);
    // A process that ends shows ever fewer pages, and one that forks protects them anew.
    const bool is_whole = memory_is_alive(pagemap.get(), mappings.all().front().start) &&
                          tail.turns() == turns && census_.tracker_is_there;
    if (!is_whole) {
        followed->most = most_before;
        followed->most_private = most_private_before;
        return Verdict::keep;
    }

    const trace::PageSet& discarded = tail.epoch()->discarded;
    if (!discarded.runs().empty()) census_.copied = without(census_.copied, discarded);
    const trace::OutsideSample sample = {start_ns, census_.copied.pages(), census_.fresh_pages,
                                         epoch, 0};
    followed->samples.add(sample);
    if (followed->last_sample.epoch != epoch) {
        followed->earlier_copies += followed->last_sample.copied_pages;
    }
    followed->last_sample = sample;
    const int error =
        write_outside(trace::outside_path_of(folder_, tail.path()),
                      static_cast<uint32_t>(followed->pid), followed->created_ns, followed->samples,
                      sample, census_.copied, followed->most, &file_content_, share_);
    followed->has_file = followed->has_file || error == 0;
    check_written(error);
    return Verdict::keep;
}

void OutsideScan::tell_fate(Followed* followed, trace::FateRecord fate) {
    if (!followed->has_file && fate.kind == trace::EndKind{0}) return;
    try {
        followed->tail.read_on();
    } catch (const Error&) {
        return;
    }
    // What the process itself says of its end is better.
    if (followed->tail.says_ended()) return;
    check_written(append_fate(trace::outside_path_of(folder_, followed->tail.path()),
                              static_cast<uint32_t>(followed->pid), followed->created_ns, fate,
                              share_));
}

void OutsideScan::check_written(int error) {
    if (error == 0) return;
    note(fmt::format("what the recorder saw from outside could not all be written: {}",
                     reason_of(error)));
}

void OutsideScan::note_no_scan(const std::string& why) {
    note("a process could not be scanned from outside: " + why);
}

void OutsideScan::note(const std::string& line) {
    // One of a kind is enough: the kind is what stands before the colon.
    const std::string kind = line.substr(0, line.find(':'));
    const bool is_new = std::none_of(notes_.begin(), notes_.end(), [&](const std::string& each) {
        return each.compare(0, kind.size(), kind) == 0;
    });
    if (is_new) notes_.push_back(line);
}

trace::FateRecord fate_of_zombie(const ProcessStatus& status, bool may_inspect,
                                 const trace::ProcessRecord& process, uint64_t now_ns) {
    trace::FateRecord fate{};
    fate.gone_ns = now_ns;
    // A zombie has no memory to recognise it by. This says that it was forked by the process that
    // the segment names, about when the segment was made, and is no other program by now.
    constexpr int64_t kClockSlackNs = 20'000'000;  // two clocks, and ticks of 10 ms
    constexpr int64_t kLongestForkNs = 1'000'000'000;
    const auto ticks_a_second = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
    const auto since_boot_ns = static_cast<int64_t>(read_clock_ns(CLOCK_BOOTTIME) - now_ns);
    const auto forked_ns =
        static_cast<int64_t>(status.start_ticks * (1'000'000'000 / ticks_a_second));
    // The segment may say any time.
    const bool is_possible = process.start_ns <= now_ns + uint64_t{kLongestForkNs};
    const int64_t says_ns =
        is_possible ? static_cast<int64_t>(process.start_ns) + since_boot_ns : 0;
    const int64_t delay_ns = says_ns - forked_ns;
    const bool is_the_child = is_possible && process.role == trace::Role::fork && may_inspect &&
                              status.is_still_forked_image() &&
                              static_cast<pid_t>(process.parent_pid) == status.parent &&
                              delay_ns >= -kClockSlackNs && delay_ns <= kLongestForkNs;
    if (!is_the_child) return fate;
    if (WIFSIGNALED(status.exit_code)) {
        fate.kind = trace::EndKind::signal;
        fate.value = WTERMSIG(status.exit_code);
    } else if (WIFEXITED(status.exit_code)) {
        fate.kind = trace::EndKind::exit;
        fate.value = WEXITSTATUS(status.exit_code);
    }
    return fate;
}

}  // namespace cowscope::observe
