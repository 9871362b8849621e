#include "epoch/track.h"

#include <errno.h>
#include <sys/prctl.h>

#include <cstring>

#include "arch/cpu.h"
#include "epoch/epoch.h"
#include "epoch/inherited.h"
#include "epoch/sample.h"
#include "session/run_records.h"
#include "session/session.h"

#include "support/poison.h"

extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));
extern "C" const char _end[] __attribute__((visibility("hidden")));

namespace cowscope::epoch {
namespace {

// How far below the page of its own frame the shim's code around a fork may reach.
constexpr uint64_t kUsedStackBytes = 3 * cpu::kPageBytes;

// Whether the process had more of its own than what is listed now: the kernel counts them within
// some dozens a CPU.
bool had_more_at_start() {
    const Epoch& epoch = *sharing.epoch;
    constexpr uint64_t kSlackPages = 256;
    constexpr uint64_t kSlackPart = 64;
    const uint64_t listed = epoch.inherited.pages();
    return epoch.pages_at_start > listed + kSlackPages + listed / kSlackPart;
}

}  // namespace

void write_inherited(trace::Tracker tracker) {
    const uint64_t now = sys::monotonic_ns();
    Epoch& epoch = *sharing.epoch;
    const bool had_more = had_more_at_start();
    const bool is_written = session::write_runs<trace::InheritedRecord>(
        &session::self.writer, trace::RecordType::inherited, epoch.inherited,
        [&](trace::InheritedRecord* record) {
            if (had_more) record->header.flags |= trace::kInheritedMore;
            record->time_ns = now;
            record->epoch = epoch.number;
            record->tracker = tracker;
            record->witness = sharing.trap.is_open() ? trace::Witness::trap : trace::Witness::off;
            record->padding[0] = record->padding[1] = 0;
            record->padding2 = 0;
        });
    // While witnessing, an epoch that has begun needs no list.
    const bool needs_list = !epoch.state.is(State::witnessing) || epoch.is_untold;
    epoch.is_untold = needs_list && !is_written;
}

namespace {

void write_protected() {
    auto* record = session::self.writer.begin<trace::ProtectRecord>(trace::RecordType::protect);
    if (record == nullptr) return;
    const Epoch& epoch = *sharing.epoch;
    record->time_ns = sys::monotonic_ns();
    record->epoch = epoch.number;
    record->padding = 0;
    record->own[0] = session::page_run(epoch.own.arena);
    record->own[1] = session::page_run(epoch.own.image);
    session::self.writer.commit();
}

void protect(const AddressRange& used) {
    Epoch& epoch = *sharing.epoch;
    const int result = sharing.tracker.protect(epoch.scan_buffer, epoch.mappings, epoch.own, used,
                                               epoch.inherited);
    if (result == 0) {
        epoch.state.protect();
        // What was judged before is known; and where it moves, it is not to look like new.
        for (const ClassifiedPages::Entry& entry : epoch.classified_pages) {
            sharing.tracker.unprotect(entry.range);
        }
        for (const trace::PageRun& run : epoch.earlier.runs()) {
            if (epoch.number != 0) break;
            sharing.tracker.unprotect({run.start, run.start + run.pages * cpu::kPageBytes});
        }
        write_protected();
    } else {
        session::write_note(trace::NoteCode::census_failed, -result);
    }
}

void write_memory_at_fork() {
    if (sharing.epoch->inherited.pages() <= kWorthMeasuringPages) {
        session::write_memory(trace::MemoryMoment::fork);
    } else {
        session::write_known_memory(trace::MemoryMoment::fork, trace::kNotMeasured, 0);
    }
}

}  // namespace

AddressRange stack_in_use() {
    const uint64_t page = cpu::page_of(reinterpret_cast<uint64_t>(__builtin_frame_address(0)));
    return {page - kUsedStackBytes, page + cpu::kPageBytes};
}

AddressRange own_image() {
    return {reinterpret_cast<uint64_t>(__ehdr_start),
            cpu::page_end(reinterpret_cast<uint64_t>(_end))};
}

// The best tracker there is, or the one that was asked for. What works is found out once and holds
// for all children.
bool start_tracker() {
    if (session::options.tracker == session::TrackerChoice::off) return false;
    if (sharing.tracker.is_open()) {
        if (sharing.tracker.check() == 0) return true;
        sharing.tracker.close();
    }
    int result = -EOPNOTSUPP;
    // Valgrind complains of system calls that it does not know.
    if (session::options.tracker != session::TrackerChoice::soft_dirty &&
        sharing.onlooker != Onlooker::valgrind) {
        result = sharing.tracker.open(trace::Tracker::userfaultfd, sharing.look.descriptor());
        if (result == 0) return true;
    }
    if (session::options.tracker != session::TrackerChoice::userfaultfd) {
        const int soft_dirty =
            sharing.tracker.open(trace::Tracker::soft_dirty, sharing.look.descriptor());
        if (soft_dirty == 0) return true;
        // Why the better one is missing says more.
        if (session::options.tracker == session::TrackerChoice::soft_dirty) result = soft_dirty;
    }
    // A process that has given up rights owns none of its own files in /proc.
    const bool is_dumpable = sys::syscall5(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
    session::write_note(result == -EACCES && !is_dumpable ? trace::NoteCode::not_dumpable
                                                          : trace::NoteCode::tracker_unavailable,
                        -result);
    return false;
}

void start_tracking(const AddressRange& used) {
    Epoch& epoch = *sharing.epoch;
    const int unread = read_mappings();
    if (unread != 0) session::write_note(trace::NoteCode::tracker_unavailable, -unread);
    if (unread != 0 || !start_tracker()) {
        epoch.pages_to_classify = 0;
        epoch.lacks_tracker = true;
        set_witness_mean(epoch.sampling.mean());
        if (epoch.state.is(State::off)) write_inherited(trace::Tracker::off);
        return;
    }
    sharing.tracker.watch(epoch.mappings, epoch.own, [](uint64_t start, int error) {
        session::write_note(trace::NoteCode::mapping_not_tracked, -error, start);
    });
    epoch.inherited.clear();
    const int result = sharing.tracker.list_present(epoch.arena, epoch.scan_buffer, epoch.mappings,
                                                    epoch.own, used, &epoch.inherited);
    if (result != 0) session::write_note(trace::NoteCode::census_failed, -result);
    leave_out_unshared();
    // What it had is known now.
    sharing.look.parent().close();
    epoch.pages_to_classify = 0;
    if (epoch.number <= 1) {
        if (!sharing.tracker.knows_zero_page())
            session::write_note(trace::NoteCode::zero_pages_unknown, 0);
        write_memory_at_fork();
    }
    epoch.state.list();
    if (sharing.trap.is_open()) sharing.trap.open_major(&epoch.sampling);
    protect(used);
    write_inherited(sharing.tracker.kind());
    set_witness_mean(epoch.sampling.mean());
}

void list_at_end() {
    Epoch& epoch = *sharing.epoch;
    // Of what cannot be asked nothing is said.
    if (read_mappings() != 0) return;
    epoch.inherited.clear();
    const int result = sharing.look.list_private(epoch.arena, epoch.scan_buffer, epoch.mappings,
                                                 epoch.own, &epoch.inherited);
    if (result == -ENOENT) return;
    if (result != 0) session::write_note(trace::NoteCode::census_failed, -result);
    leave_out_unshared();
    write_inherited(sharing.tracker.kind());
}

namespace {

// Whether all of it is told.
bool tell_mappings() {
    Epoch& epoch = *sharing.epoch;
    const uint64_t now = sys::monotonic_ns();
    // What is kept for the end is for what was copied.
    const bool is_little_left =
        session::budget.is_reached() || session::self.writer.is_near_limit();
    bool is_told = !session::self.writer.is_closing() || !is_little_left;
    epoch.mappings.read(epoch.arena, epoch.scratch,
                        [&](const char* text, size_t length, bool last) {
                            if (!is_told) return;
                            auto* record = session::self.writer.begin<trace::MappingsRecord>(
                                trace::RecordType::mappings, length);
                            // A list with a hole would say wrong things of what stands around it.
                            is_told = record != nullptr;
                            if (!is_told) return;
                            record->time_ns = now;
                            record->text_bytes = static_cast<uint32_t>(length);
                            record->padding = 0;
                            record->header.flags = last ? 0 : trace::kMoreParts;
                            if (length != 0) std::memcpy(record + 1, text, length);
                            session::self.writer.commit();
                        });
    return is_told;
}

}  // namespace

// A program may have ten thousand mappings, and fork as often: what is known is not written again.
int read_mappings() {
    Epoch& epoch = *sharing.epoch;
    const int result = epoch.mappings.read(epoch.arena, epoch.scratch);
    if (result != 0) return result;
    if (epoch.mappings.kinds_hash() != sharing.told_mappings && tell_mappings()) {
        sharing.told_mappings = epoch.mappings.kinds_hash();
    }
    if (epoch.mappings.has_ring()) sharing.has_ring = true;
    if (epoch.mappings.text_hash() == sharing.taken_mappings) return 0;
    sharing.taken_mappings = epoch.mappings.text_hash();
    known_mappings.take(epoch.mappings.all());
    return 0;
}

}  // namespace cowscope::epoch
