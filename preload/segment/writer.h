// Writes one process's segment (trace_format.h) through a shared mapping of its file.
//
// Signal safety: every function is async-signal-safe. Thread safety: none; callers hold the
// process's lock. Errors: begin() returns nullptr when there is no room (disk full, file limit,
// descriptor taken away); the caller then counts a loss. What was committed before stays.
//
// Room is reserved by writing zeros to the file before it is mapped, because a store into a hole of
// a full disk would be a SIGBUS in the host. (fallocate would do as well, and took longer: 85 us
// against 60 for a first window, mapped and populated.) Mapped pages are populated, so that the
// fault handler does not fault on them itself. The file is mapped when there is more to say than
// create() is given: most processes only execute and end.
//
// With a bound (segment/budget.h) every reservation asks first. Once details (events and what they
// name) find no room any more, reached_bound() says so, and the process is to stop recording; what
// its generations are made of, and its end, may use what is kept for that.
#pragma once

#include <sys/uio.h>

#include "segment/budget.h"
#include "support/descriptor.h"
#include "trace_format.h"

namespace cowscope::segment {

class Writer {
  public:
    // Records of this size and less can be given to create().
    static constexpr size_t kFirstRecordBytes = 7 * 1024;

    // Creates PATH, which is relative to the open `folder`, with its header, its loss record and,
    // when given, a first complete record. Returns 0 or -errno.
    int create(const char* path, pid_t pid, uint64_t created_ns,
               const trace::RecordHeader* first = nullptr, int folder = AT_FDCWD);

    // Nothing can be written any more. The mappings stay; a forked child has not inherited them
    // (MADV_DONTFORK).
    void close();

    bool is_open() const { return file_.is_open(); }

    // Something found no room because of the bound. Never without one.
    bool reached_bound() const { return reached_bound_; }
    // From here on everything is what the process says last, or no longer is.
    void set_closing(bool is_closing) {
        is_closing_ = is_closing;
        if (reached_bound_) refusals_ = 0;
    }
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
    // Makes the record that was begun last visible to readers.
    void commit();

    // Gives back to the disk what was reserved and not used, where that is much. More can be
    // written behind it.
    void trim();

    // Writes one complete record. For the only one behind create(), this does not map the file.
    void append(const trace::RecordHeader& record);

    // Counters in the segment itself, or in vain where it cannot be mapped. Never nullptr.
    trace::LossRecord* loss();

  private:
    bool map_start();
    bool make_room(uint64_t needed_end, Share share);
    bool map_window(uint64_t needed_end, Share share);
    bool take_of_bound(uint64_t start, uint64_t needed_end, Share share, uint64_t* bytes);
    int reserve(uint64_t from, uint64_t to);
    int write_at(uint64_t offset, const struct iovec* parts, size_t count, uint64_t bytes);

    trace::SegmentHeader* header_ = nullptr;
    unsigned char* window_ = nullptr;  // maps [window_start_, window_end_) of the file
    uint64_t window_start_ = 0;
    uint64_t window_end_ = 0;
    uint64_t reserved_ = 0;   // bytes of the file that have blocks
    uint64_t committed_ = 0;  // our copy: the one in the file may be damaged by the host
    uint32_t begun_bytes_ = 0;
    uint32_t refusals_ = 0;  // records in a row that found no room
    bool reached_bound_ = false;
    bool is_closing_ = false;
    bool is_cut_ = false;  // what comes later would mean nothing, but for ends
    Descriptor file_;
};

}  // namespace cowscope::segment
