// Writes one process's segment (trace_format.h) through a shared mapping of its file.
//
// Signal safety: every function is async-signal-safe. Thread safety: none; callers hold the
// process's lock. Errors: begin() returns nullptr when there is no room (disk full, file limit,
// descriptor taken away); the caller then counts a loss. What was committed before stays.
//
// A full disk must end the recording, never the host. Room is reserved by writing zeros to the file
// before it is mapped, because a store into a hole of a full disk would be a SIGBUS. (fallocate
// would do as well, and took longer: 85 us against 60 for a first window, mapped and populated.)
// That is enough where a block that is written again stays where it is: there records are stored
// into the mapping. Elsewhere (btrfs, what lies behind an overlay) the kernel looks for a new block
// whenever it has written the page back, and a store may fail at any time: there records are put
// together beside it, and the kernel copies them into the mapping (process_vm_writev), which is an
// error and no signal; about 1.8 us a record.
//
// Mapped pages are populated for writing, so that the fault handler does not fault on them itself.
//
// No descriptor is held where the file can be opened again when it has to grow (set_reopen()):
// most processes never say more than what was mapped at first.
//
// With a bound (session/budget.h) every reservation asks first. Once details (events and what they
// name) find no room any more, has_reached_limit() says so, and the process is to stop recording;
// what its epochs are made of, and its end, may use what is kept for that.
#pragma once

#include <sys/uio.h>

#include "format/trace_format.h"
#include "session/budget.h"
#include "support/descriptor.h"
#include "support/record_sink.h"

namespace cowscope::session {

class Writer {
  public:
    // Records of this size and less can be given to create().
    static constexpr size_t kFirstRecordBytes = 7 * 1024;

    // Creates PATH, which is relative to the open `folder`, with its header, its loss record and,
    // when given, a first complete record. Returns 0 or -errno.
    int create(const char* path, pid_t pid, uint64_t created_ns,
               const trace::RecordHeader* first = nullptr, int folder = AT_FDCWD);

    // How to open the file anew, for reading and writing; a descriptor or -errno. From here on none
    // is held in between.
    using Reopen = int();
    void set_reopen(Reopen* reopen);
    // From here on one is held: opening it anew may fail later.
    void keep_file();

    // Nothing can be written any more. The mappings stay; a forked child has not inherited them
    // (MADV_DONTFORK).
    void close();

    bool is_open() const { return is_open_; }

    // In a forked child, of its parent's writer: why the child has none of its own (errno).
    void tell_child_failed(int error);

    // Something found no room because of the bound. Never without one.
    bool has_reached_limit() const { return has_reached_limit_; }
    // The file may hardly grow any more (RLIMIT_FSIZE).
    bool is_near_limit() const { return is_near_limit_; }
    // From here on everything is what the process says last, or no longer is.
    void set_closing(bool is_closing) { is_closing_ = is_closing; }
    bool is_closing() const { return is_closing_; }
    // Nothing but ends is taken any more.
    void seal() { is_cut_ = true; }
    Descriptor& descriptor() { return file_; }

    // Room for a record of `bytes` (at most trace::kMaxRecordBytes; rounded up to 8), with its
    // header filled in and the rest unspecified; nothing else may be begun before commit().
    template <typename Record>
    Record* begin(trace::RecordType type, size_t extra_bytes = 0) {
        return static_cast<Record*>(begin_bytes(type, sizeof(Record) + extra_bytes));
    }
    void* begin_bytes(trace::RecordType type, size_t bytes);
    // Room for two records of which one is of no use without the other: commit() makes both
    // visible. False where there is no room for both; an event that is the second counts as lost
    // then.
    template <typename First, typename Second>
    bool begin_two(trace::RecordType first_type, size_t first_extra_bytes, First** first,
                   trace::RecordType second_type, size_t second_bytes, Second** second) {
        void* behind;
        *first = static_cast<First*>(begin_two_bytes(first_type, sizeof(First) + first_extra_bytes,
                                                     second_type, second_bytes, &behind));
        *second = static_cast<Second*>(behind);
        return *first != nullptr;
    }
    // Makes what was begun last visible to readers. False where the disk did not take
    // it; then it counts as lost, but for an event, which the caller counts.
    bool commit();
    // For the floors below. Valid as long as the writer is.
    RecordSink sink() { return {kAsSink, this}; }

    // Gives back to the disk what was reserved and not used, where that is much. More can be
    // written behind it.
    void trim();

    // Writes one complete record.
    void append(const trace::RecordHeader& record);

    // Adds to one of the counters in the segment.
    void count_loss(uint64_t trace::LossRecord::*counter, uint64_t count);
    uint64_t losses(uint64_t trace::LossRecord::*counter) const { return loss_.*counter; }

    // Calls use(start, bytes) for each of the mappings.
    template <typename Use>
    void for_each_mapping(const Use& use) const {
        if (header_ != nullptr) use(header_, kStartBytes);
        const bool is_separate = window_ != reinterpret_cast<unsigned char*>(header_);
        if (window_ != nullptr && is_separate) use(window_, window_end_ - window_start_);
        if (staging_ != nullptr) use(staging_, trace::kMaxRecordBytes);
    }

  private:
    // What create() writes and the start's mapping covers: enough for a process that only executes.
    static constexpr uint64_t kStartBytes = 8 * 1024;
    static const RecordSink::Functions kAsSink;

    bool has_file();
    void release_file();
    void* begin_two_bytes(trace::RecordType first_type, size_t first_bytes,
                          trace::RecordType second_type, size_t second_bytes, void** second);
    void* find_room(trace::RecordType type, size_t bytes);
    bool map_start();
    bool map_staging();
    bool make_room(uint64_t needed_end, Share share);
    uint64_t window_place(uint64_t start) const;
    bool map_window(uint64_t needed_end, Share share);
    bool take_of_bound(uint64_t start, uint64_t needed_end, Share share, uint64_t* bytes);
    bool reserve_window(uint64_t start, uint64_t needed_end, uint64_t* bytes);
    int reserve(uint64_t from, uint64_t to);
    int write_at(uint64_t offset, const struct iovec* parts, size_t count, uint64_t bytes);
    bool store(const void* record, uint64_t bytes);
    bool store_guarded(const void* record, uint64_t bytes, uint64_t end);
    bool write_through_file(const void* record, uint64_t bytes, uint64_t end);
    void count_refused(trace::RecordType type, uint64_t bytes);
    void wait_after(uint64_t asked_ns);
    bool may_ask() const;

    trace::SegmentHeader* header_ = nullptr;
    unsigned char* window_ = nullptr;  // maps [window_start_, window_end_) of the file
    uint64_t window_start_ = 0;
    uint64_t window_end_ = 0;
    unsigned char* staging_ = nullptr;  // records on their way, where they are not stored directly
    uint64_t reserved_ = 0;             // bytes of the file that have blocks
    uint64_t committed_ = 0;            // our copy: the one in the file may be damaged by the host
    uint64_t ask_again_ns_ = 0;         // before that a disk that was found full is not asked
    uint32_t begun_bytes_ = 0;
    bool is_open_ = false;
    bool stores_directly_ = false;
    bool holds_file_ = true;
    bool has_reached_limit_ = false;
    bool is_closing_ = false;
    bool is_near_limit_ = false;   // of file sizes (RLIMIT_FSIZE)
    bool is_cut_ = false;          // what comes later would mean nothing, but for ends
    trace::LossRecord loss_ = {};  // as in the file, or as it should be there
    Reopen* reopen_ = nullptr;
    Descriptor file_;
};

}  // namespace cowscope::session
