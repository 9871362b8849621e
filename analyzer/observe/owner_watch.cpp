#include "observe/owner_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/read_file.h"
#include "base/signal_mask.h"
#include "observe/crash_guard.h"
#include "observe/owners_file.h"
#include "observe/segment_name.h"
#include "runtime/table.h"
#include "trace/heap_owners.h"
#include "trace/mappings.h"
#include "trace/segment_reader.h"
#include "trace/trace.h"

namespace cowscope::observe {

namespace {

namespace fs = std::filesystem;

// Where inotify(7) is not to be had.
constexpr uint64_t kPollNs = 50'000'000;
// As in outside_scan.cpp: vm.max_map_count lines of usual length are 7 MB.
constexpr size_t kMostMapsBytes = size_t{64} << 20;
// Behind the loss record comes the process record.
constexpr int kRecordsToProcess = 16;

}  // namespace

OwnerWatch::OwnerWatch(std::string folder, OwnerPace pace, ShareOfBound* share)
    : folder_(std::move(folder)),
      pace_(std::move(pace)),
      share_(share),
      changes_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      wake_(eventfd(0, EFD_CLOEXEC)),
      ended_(eventfd(0, EFD_CLOEXEC)) {
    if (changes_.is_open() && inotify_add_watch(changes_.get(), folder_.c_str(), IN_CREATE) < 0) {
        changes_.reset();
    }
    if (changes_.is_open()) {
        const std::string others = folder_ + "/" + trace::kOthersFolder;
        others_ = inotify_add_watch(changes_.get(), others.c_str(), IN_CREATE);
    }
    pace_.limits.must_stop = [this] {
        give_way();
        return must_end_.load(std::memory_order_relaxed);
    };
    // Signals are the other thread's: it passes them on to the program.
    const SignalMask before = change_mask(SIG_SETMASK, kAllSignals);
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::exception& error) {
        note(fmt::format("owners were not looked for: {}", error.what()));
    }
    change_mask(SIG_SETMASK, before);
}

OwnerWatch::~OwnerWatch() {
    // Nobody asked for its end: the program has not run, and there was nothing to look at.
    if (!finish()) std::terminate();
}

bool OwnerWatch::finish() {
    if (!thread_.joinable()) return true;
    must_end_ = true;
    eventfd_write(wake_.get(), 1);
    const uint64_t end_ns = monotonic_ns() + pace_.longest_end_ns;
    while (!has_ended_ && ended_.is_open()) {
        const uint64_t now_ns = monotonic_ns();
        if (now_ns >= end_ns) {
            thread_.detach();
            return false;
        }
        pollfd file = {ended_.get(), POLLIN, 0};
        poll(&file, 1, static_cast<int>((end_ns - now_ns) / 1'000'000 + 1));
    }
    thread_.join();
    return true;
}

void OwnerWatch::give_way() {
    if (gave_way_ || read_clock_ns(CLOCK_THREAD_CPUTIME_ID) < pace_.urgent_cpu_ns) return;
    gave_way_ = true;
    constexpr int kNice = 10;
    setpriority(PRIO_PROCESS, 0, kNice);  // of this thread alone, setpriority(2)
}

void OwnerWatch::run() {
    // libc opens one (SIGCANCEL) in every new thread.
    change_mask(SIG_SETMASK, kAllSignals);
    CrashGuard::enter_thread();
    try {
        while (!must_end_) {
            wait();
            find_forks();
            look_at_due();
        }
    } catch (const std::exception& error) {
        note(fmt::format("owners could not be looked for: {}", error.what()));
    } catch (...) {
        note("owners could not be looked for: an unknown error");
    }
    has_ended_ = true;
    eventfd_write(ended_.get(), 1);
}

void OwnerWatch::wait() {
    std::optional<uint64_t> most_ns;
    if (!changes_.is_open() || !unresolved_.empty()) most_ns = kPollNs;
    const uint64_t now = monotonic_ns();
    for (const pid_t pid : due_) {
        const Parent& process = processes_.at(pid);
        const uint64_t left = process.next_look_ns - std::min(process.next_look_ns, now);
        most_ns = std::min(most_ns.value_or(left), left);
    }
    std::array<pollfd, 2> files = {
        {{wake_.get(), POLLIN, 0}, {changes_.is_open() ? changes_.get() : -1, POLLIN, 0}}};
    timespec timeout{};
    if (most_ns) {
        timeout.tv_sec = static_cast<time_t>(*most_ns / 1'000'000'000);
        timeout.tv_nsec = static_cast<long>(*most_ns % 1'000'000'000);
    }
    ppoll(files.data(), files.size(), most_ns ? &timeout : nullptr, nullptr);
    if (changes_.is_open()) {
        read_changes();
    } else {
        must_list_ = true;
    }
}

void OwnerWatch::read_changes() {
    alignas(inotify_event) std::array<char, 8192> events;
    ssize_t got = 0;
    while ((got = read(changes_.get(), events.data(), events.size())) > 0) {
        for (ssize_t at = 0; at < got;) {
            inotify_event event;
            std::memcpy(&event, events.data() + at, sizeof(event));
            if ((event.mask & IN_Q_OVERFLOW) != 0) must_list_ = true;
            if (event.len != 0) {
                const std::string name = events.data() + at + sizeof(event);
                add_file(event.wd == others_ ? std::string(trace::kOthersFolder) + "/" + name
                                             : name);
            }
            at += static_cast<ssize_t>(sizeof(event) + event.len);
        }
    }
}

void OwnerWatch::list_folder() {
    must_list_ = false;
    for (const std::string& name : trace::list_segments(folder_)) add_file(name);
}

void OwnerWatch::add_file(const std::string& name) {
    const auto parsed = parse_segment_name(name);
    if (parsed && known_.insert(name).second) {
        unresolved_.push_back({name, parsed->pid, parsed->created_ns});
    }
}

void OwnerWatch::find_forks() {
    if (must_list_) list_folder();
    std::vector<Segment> segments;
    segments.swap(unresolved_);
    std::sort(segments.begin(), segments.end(),
              [](const Segment& a, const Segment& b) { return a.created_ns < b.created_ns; });
    for (const Segment& segment : segments) take_segment(segment);
}

void OwnerWatch::take_segment(const Segment& segment) {
    Parent& own = processes_[segment.pid];
    if (own.segment.name != segment.name) own = {segment, false, 0};
    const pid_t parent = parent_of(segment);
    if (parent < 0) unresolved_.push_back(segment);
    const auto known = processes_.find(parent);
    if (parent <= 0 || known == processes_.end() || known->second.is_due) return;
    known->second.is_due = true;
    due_.push_back(parent);
}

// 0: it was not forked; -1: not known yet.
pid_t OwnerWatch::parent_of(const Segment& child) const {
    // The kernel knows earlier than the segment says it. An id alone may be someone else's: who is
    // looked at in the end is recognised by its mappings.
    const auto process = OtherProcess::open(child.pid);
    const auto status = process ? process->status() : std::nullopt;
    if (status && status->is_still_forked_image() && processes_.contains(status->parent)) {
        return status->parent;
    }
    try {
        trace::SegmentReader reader(folder_ + "/" + child.name);
        // A hostile segment may have none.
        for (int left = kRecordsToProcess; left != 0; --left) {
            const auto record = reader.next();
            if (!record) break;
            if (record->type != trace::RecordType::process) continue;
            const auto fixed = record->as<trace::ProcessRecord>();
            return fixed.role == trace::Role::fork ? static_cast<pid_t>(fixed.parent_pid) : 0;
        }
    } catch (const Error&) {
        // Not a segment yet.
    }
    return status ? -1 : 0;
}

void OwnerWatch::look_at_due() {
    std::vector<pid_t> later;
    for (const pid_t pid : due_) {
        Parent& process = processes_.at(pid);
        // It may be another one by now.
        if (!process.is_due) continue;
        if (must_end_) return;
        if (process.next_look_ns <= monotonic_ns()) {
            process.is_due = false;
            look_at(&process);
        } else {
            later.push_back(pid);
        }
    }
    due_ = std::move(later);
}

void OwnerWatch::look_at(Parent* parent) {
    parent->next_look_ns = monotonic_ns() + pace_.interval_ns;
    const pid_t pid = parent->segment.pid;
    const auto process = OtherProcess::open(pid);
    if (!process) return;
    const FileDescriptor maps = process->open_file("maps");
    const auto text = maps.is_open() ? read_all(maps.get(), kMostMapsBytes) : std::nullopt;
    if (!text) return;
    const uint64_t start_ns = monotonic_ns();
    const trace::Mappings mappings(*text, start_ns);
    if (!maps_file(mappings, parent->segment.name)) return;

    const FileDescriptor content = process->open_file("mem");
    if (!content.is_open()) {
        const int error = errno;
        if (error != ENOENT && error != ESRCH &&
            runtime::may_run_in(runtime::all_members(), mappings)) {
            note(fmt::format("no owners: the memory of process {} cannot be read: {}", pid,
                             std::strerror(error)));
        }
        return;
    }
    runtime::Memory memory(content.get(), mappings);
    const runtime::HeapSearch search = runtime::find_heap(
        runtime::all_members(), mappings,
        [&](const trace::Mapping& mapping) {
            return process->open_mapped(mapping.start, mapping.end, mapping.path).release();
        },
        &memory, pace_.limits.must_stop);
    if (!search.found) {
        if (memory.error() != 0 && memory.error() != ESRCH) {
            note(fmt::format("no owners: the memory of process {} cannot be read: {}", pid,
                             std::strerror(memory.error())));
        } else if (memory.error() == 0 && !search.reason.empty()) {
            note(fmt::format("no owners for process {}: it runs {}, whose objects are not known",
                             pid, search.reason));
        }
        return;
    }
    if (looks_ == pace_.most_looks) {
        note(fmt::format("owners: objects made after the first {} looks have none", looks_));
        return;
    }
    ++looks_;
    runtime::WalkResult walk = search.found->walk(limits_of(*process));
    // It was the same process all the time if it is there still.
    if (!process->status()) walk.cut |= runtime::kCutGone;
    const OwnersLook look = {static_cast<uint32_t>(pid), parent->segment.created_ns, start_ns,
                             monotonic_ns(), search.found->version()};
    const std::string path =
        fmt::format("{}/owners-{}-{}-{}{}", folder_, pid, parent->segment.created_ns, start_ns,
                    trace::kOwnersSuffix);
    const int error = write_owners(path, look, walk, share_);
    if (error != 0) {
        note(fmt::format("owners could not all be written: {}", reason_of(error)));
    }
    const uint64_t end_ns = monotonic_ns();
    parent->next_look_ns =
        end_ns + std::max(pace_.interval_ns, (end_ns - start_ns) * pace_.rest_per_work);
}

runtime::WalkLimits OwnerWatch::limits_of(const OtherProcess& process) const {
    const auto status = process.status();
    if (!status) return pace_.limits;
    const auto ticks = static_cast<double>(status->user_ticks + status->system_ticks);
    const double cpu_ns = ticks / static_cast<double>(sysconf(_SC_CLK_TCK)) * 1e9;
    return runtime::limits_for(
        pace_.limits, static_cast<uint64_t>(cpu_ns),
        status->resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

void OwnerWatch::note(const std::string& line) {
    const std::string kind = line.substr(0, line.find(':'));
    const bool is_new = std::none_of(notes_.begin(), notes_.end(), [&](const std::string& each) {
        return each.compare(0, kind.size(), kind) == 0;
    });
    if (is_new) notes_.push_back(line);
}

}  // namespace cowscope::observe
