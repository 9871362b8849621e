// Tracking: the inherited pages are listed and protected.

#include <errno.h>
#include <sys/prctl.h>

#include <cstring>

#include "epoch/process.h"
#include "session/run_records.h"

#include "support/poison.h"

extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));
extern "C" const char _end[] __attribute__((visibility("hidden")));

namespace cowscope::process {
namespace {

constexpr uint64_t kPage = tracker::kPageBytes;
// How far below the page of its own frame the shim's code around a fork may reach.
constexpr uint64_t kUsedStackBytes = 3 * kPage;

// Whether the process had more of its own than what is listed now: the kernel counts them within
// some dozens a CPU.
bool had_more_at_start() {
    const Tracked& tracked = *process.tracked;
    constexpr uint64_t kSlackPages = 256;
    constexpr uint64_t kSlackPart = 64;
    const uint64_t listed = tracked.inherited.pages();
    return tracked.pages_at_start > listed + kSlackPages + listed / kSlackPart;
}

}  // namespace

void write_inherited(trace::Tracker tracker) {
    const uint64_t now = sys::monotonic_ns();
    Tracked& tracked = *process.tracked;
    const bool had_more = had_more_at_start();
    const bool is_written = session::write_runs<trace::InheritedRecord>(&process.writer, 
        trace::RecordType::inherited, tracked.inherited, [&](trace::InheritedRecord* record) {
            if (had_more) record->header.flags |= trace::kInheritedMore;
            record->time_ns = now;
            record->generation = tracked.generation;
            record->tracker = tracker;
            record->witness = process.trap.is_open() ? trace::Witness::trap : trace::Witness::off;
            record->padding[0] = record->padding[1] = 0;
            record->padding2 = 0;
        });
    // While witnessing, a generation that has begun needs no list.
    const bool needs_list = tracked.stage != Stage::witnessing || tracked.lacks_generation;
    tracked.lacks_generation = needs_list && !is_written;
}

namespace {

void write_protected() {
    auto* record = process.writer.begin<trace::ProtectRecord>(trace::RecordType::protect);
    if (record == nullptr) return;
    const Tracked& tracked = *process.tracked;
    record->time_ns = sys::monotonic_ns();
    record->generation = tracked.generation;
    record->padding = 0;
    record->own[0] = session::page_run(tracked.own.arena);
    record->own[1] = session::page_run(tracked.own.image);
    process.writer.commit();
}

void protect(const AddressRange& used) {
    Tracked& tracked = *process.tracked;
    const int result = process.tracker.protect(tracked.scan_buffer, tracked.mappings, tracked.own,
                                               used, tracked.inherited);
    tracked.is_protected = result == 0;
    if (result == 0) {
        // What was judged before is known; and where it moves, it is not to look like new.
        for (const EarlyPages::Entry& entry : tracked.early_pages) {
            process.tracker.unprotect(entry.range);
        }
        for (const trace::PageRun& run : tracked.earlier.runs()) {
            if (tracked.generation != 0) break;
            process.tracker.unprotect({run.start, run.start + run.pages * kPage});
        }
        write_protected();
    } else {
        write_note(trace::NoteCode::census_failed, -result);
    }
}

void write_memory_at_fork() {
    if (process.tracked->inherited.pages() <= kWorthMeasuringPages) {
        write_memory(trace::MemoryMoment::fork);
    } else {
        write_known_memory(trace::MemoryMoment::fork, trace::kNotMeasured, 0);
    }
}

}  // namespace

AddressRange stack_in_use() {
    const uint64_t page = reinterpret_cast<uint64_t>(__builtin_frame_address(0)) & ~(kPage - 1);
    return {page - kUsedStackBytes, page + kPage};
}

AddressRange own_image() {
    return {reinterpret_cast<uint64_t>(__ehdr_start),
            (reinterpret_cast<uint64_t>(_end) + kPage - 1) & ~(kPage - 1)};
}

// The best tracker there is, or the one that was asked for. What works is found out once and holds
// for all children.
bool start_tracker() {
    if (process.options.tracker == session::TrackerChoice::off) return false;
    if (process.tracker.is_open()) {
        if (process.tracker.check() == 0) return true;
        process.tracker.close();
    }
    int result = -EOPNOTSUPP;
    // Valgrind complains of system calls that it does not know.
    if (process.options.tracker != session::TrackerChoice::soft_dirty &&
        process.onlooker != Onlooker::valgrind) {
        result = process.tracker.open(trace::Tracker::userfaultfd, process.look.descriptor());
        if (result == 0) return true;
    }
    if (process.options.tracker != session::TrackerChoice::userfaultfd) {
        const int soft_dirty =
            process.tracker.open(trace::Tracker::soft_dirty, process.look.descriptor());
        if (soft_dirty == 0) return true;
        // Why the better one is missing says more.
        if (process.options.tracker == session::TrackerChoice::soft_dirty) result = soft_dirty;
    }
    // A process that has given up rights owns none of its own files in /proc.
    const bool is_dumpable = sys::syscall5(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
    write_note(result == -EACCES && !is_dumpable ? trace::NoteCode::not_dumpable
                                                 : trace::NoteCode::tracker_unavailable,
               -result);
    return false;
}

void start_tracking(const AddressRange& used) {
    Tracked& tracked = *process.tracked;
    const int unread = read_mappings();
    if (unread != 0) write_note(trace::NoteCode::tracker_unavailable, -unread);
    if (unread != 0 || !start_tracker()) {
        tracked.pages_before_tracking = 0;
        tracked.lacks_tracker = true;
        set_witness_mean(tracked.sampling.mean());
        if (tracked.stage == Stage::off) write_inherited(trace::Tracker::off);
        return;
    }
    process.tracker.watch(tracked.mappings, tracked.own, [](uint64_t start, int error) {
        write_note(trace::NoteCode::mapping_not_tracked, -error, start);
    });
    tracked.inherited.clear();
    const int result =
        process.tracker.list_present(tracked.arena, tracked.scan_buffer, tracked.mappings,
                                     tracked.own, used, &tracked.inherited);
    if (result != 0) write_note(trace::NoteCode::census_failed, -result);
    settle_inherited();
    // What it had is known now.
    process.look.parent().close();
    tracked.pages_before_tracking = 0;
    if (tracked.generation <= 1) {
        if (!process.tracker.knows_zero_page()) write_note(trace::NoteCode::zero_pages_unknown, 0);
        write_memory_at_fork();
    }
    tracked.stage = Stage::tracking;
    if (process.trap.is_open()) process.trap.open_major(&tracked.sampling);
    protect(used);
    write_inherited(process.tracker.kind());
    set_witness_mean(tracked.sampling.mean());
}

void list_at_end() {
    Tracked& tracked = *process.tracked;
    // Of what cannot be asked nothing is said.
    if (read_mappings() != 0) return;
    tracked.inherited.clear();
    const int result = process.look.list_private(tracked.arena, tracked.scan_buffer,
                                                 tracked.mappings, tracked.own, &tracked.inherited);
    if (result == -ENOENT) return;
    if (result != 0) write_note(trace::NoteCode::census_failed, -result);
    settle_inherited();
    write_inherited(process.tracker.kind());
}

namespace {

// Whether all of it is told.
bool tell_mappings() {
    Tracked& tracked = *process.tracked;
    const uint64_t now = sys::monotonic_ns();
    // What is kept for the end is for what was copied.
    const bool is_little_left = session::budget.is_reached() || process.writer.is_near_limit();
    bool is_told = !process.writer.is_closing() || !is_little_left;
    tracked.mappings.read(
        tracked.arena, tracked.scratch, [&](const char* text, size_t length, bool last) {
            if (!is_told) return;
            auto* record =
                process.writer.begin<trace::MappingsRecord>(trace::RecordType::mappings, length);
            // A list with a hole would say wrong things of what stands around it.
            is_told = record != nullptr;
            if (!is_told) return;
            record->time_ns = now;
            record->text_bytes = static_cast<uint32_t>(length);
            record->padding = 0;
            record->header.flags = last ? 0 : trace::kMoreParts;
            if (length != 0) std::memcpy(record + 1, text, length);
            process.writer.commit();
        });
    return is_told;
}

}  // namespace

// A program may have ten thousand mappings, and fork as often: what is known is not written again.
int read_mappings() {
    Tracked& tracked = *process.tracked;
    const int result = tracked.mappings.read(tracked.arena, tracked.scratch);
    if (result != 0) return result;
    if (tracked.mappings.kinds_hash() != process.told_mappings && tell_mappings()) {
        process.told_mappings = tracked.mappings.kinds_hash();
    }
    if (tracked.mappings.has_ring()) process.has_ring = true;
    if (tracked.mappings.text_hash() == process.taken_mappings) return 0;
    process.taken_mappings = tracked.mappings.text_hash();
    known_mappings.take(tracked.mappings.all());
    return 0;
}

}  // namespace cowscope::process
