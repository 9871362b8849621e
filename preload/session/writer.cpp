#include "session/writer.h"

#include <errno.h>

#include <atomic>
#include <cstring>

#include "session/disk.h"
#include "session/zeros.h"
#include "support/descriptor.h"

#include "support/poison.h"

namespace cowscope::session {
namespace {

// Near the limit of file sizes details leave this to what the process says last.
constexpr uint64_t kRoomAtLimit = 4 * 1024;

struct Start {
    trace::SegmentHeader header;
    trace::LossRecord loss;
};
static_assert(sizeof(Start) == sizeof(trace::SegmentHeader) + sizeof(trace::LossRecord));

// What a reader can do without, when the bound is reached. The others say what there is to count.
bool is_detail(trace::RecordType type) {
    switch (type) {
        case trace::RecordType::process:
        case trace::RecordType::inherited:
        case trace::RecordType::protect:
        case trace::RecordType::discarded:
        case trace::RecordType::epoch:
        case trace::RecordType::moved:
        case trace::RecordType::census:
        case trace::RecordType::fork:
        case trace::RecordType::end:
        case trace::RecordType::note:
        case trace::RecordType::account:
            return false;
        default:
            return true;
    }
}

// With a bound they find room, whatever comes before them: that of the recording, and the
// process's.
uint64_t room_for_ends() {
    return budget.is_set() ? 2 * sizeof(trace::EndRecord) : 0;
}

size_t round_up(size_t bytes) {
    return (bytes + 7) & ~size_t{7};
}

void begin_at(unsigned char* room, trace::RecordType type, size_t rounded) {
    // The tail that rounding adds must not leak what the page held.
    std::memset(room + rounded - 8, 0, 8);
    *reinterpret_cast<trace::RecordHeader*>(room) = {static_cast<uint32_t>(rounded), type, 0};
}

}  // namespace

const RecordSink::Functions Writer::kAsSink = {
    [](void* writer, trace::RecordType type, size_t bytes) {
        return static_cast<Writer*>(writer)->begin_bytes(type, bytes);
    },
    [](void* writer, trace::RecordType first_type, size_t first_bytes,
       trace::RecordType second_type, size_t second_bytes, void** second) {
        return static_cast<Writer*>(writer)->begin_two_bytes(first_type, first_bytes, second_type,
                                                             second_bytes, second);
    },
    [](void* writer) { return static_cast<Writer*>(writer)->commit(); },
};

int Writer::create(const char* path, pid_t pid, uint64_t created_ns,
                   const trace::RecordHeader* first, int folder) {
    static_assert(sizeof(Start) + kFirstRecordBytes <= kStartBytes);
    static_assert(kZerosBytes >= kStartBytes);
    if (!budget.take(kStartBytes, Share::ordinary)) {
        budget.set_reached();
        return -EDQUOT;
    }
    const int fd = sys::open_at(folder, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (fd < 0 || !file_.keep_here(fd)) {
        budget.give_back(kStartBytes);
        return fd < 0 ? fd : -EBADF;
    }
    Start start = {};
    std::memcpy(start.header.magic, trace::kMagic, sizeof(start.header.magic));
    start.header.version = trace::kVersion;
    start.header.header_bytes = sizeof(trace::SegmentHeader);
    start.header.page_size = trace::kPageBytes;
    start.header.machine = trace::kMachine;
    start.header.pid = static_cast<uint32_t>(pid);
    start.header.created_ns = created_ns;
    start.loss.header = {sizeof(trace::LossRecord), trace::RecordType::loss, 0};
    const size_t first_bytes = first == nullptr ? 0 : first->bytes;
    committed_ = sizeof(start) + first_bytes;
    start.header.committed_bytes = committed_;

    struct iovec parts[] = {
        {&start, sizeof(start)},
        {const_cast<trace::RecordHeader*>(first), first_bytes},
        {const_cast<unsigned char*>(kZeros), kStartBytes - sizeof(start) - first_bytes},
    };
    const int result = write_at(0, parts, sizeof(parts) / sizeof(parts[0]), kStartBytes);
    if (result != 0) {
        // An empty file would be a damaged trace.
        if (file_.is_ours()) sys::unlink_at(folder, path);
        budget.give_back(kStartBytes);
        close();
        return result;
    }
    is_open_ = true;
    reserved_ = kStartBytes;
    loss_ = start.loss;
    stores_directly_ = writes_in_place(file_.number());
    return 0;
}

void Writer::set_reopen(Reopen* reopen) {
    reopen_ = reopen;
    holds_file_ = !map_start();
    release_file();
}

void Writer::keep_file() {
    holds_file_ = true;
    if (has_file()) file_.move_up();
}

void Writer::close() {
    file_.close();
    *this = Writer();
}

void Writer::tell_child_failed(int error) {
    if (!file_.is_ours()) return;
    const int32_t value = error;
    const struct iovec part = {const_cast<int32_t*>(&value), sizeof(value)};
    write_at(offsetof(trace::SegmentHeader, child_error), &part, 1, sizeof(value));
}

bool Writer::has_file() {
    if (file_.is_ours()) return true;
    if (reopen_ == nullptr) return false;
    const int fd = reopen_();
    return fd >= 0 && file_.keep_same(fd);
}

void Writer::release_file() {
    if (!holds_file_) file_.release();
}

bool Writer::map_start() {
    if (header_ != nullptr) return true;
    if (!has_file()) return false;
    const uint64_t address = sys::own_area() + static_cast<uint64_t>(sys::OwnPlace::segment_start);
    void* start = sys::map_file(address, file_.number(), 0, kStartBytes);
    if (sys::failed(start)) return false;
    window_ = static_cast<unsigned char*>(start);
    window_start_ = 0;
    window_end_ = kStartBytes;
    header_ = static_cast<trace::SegmentHeader*>(start);
    return true;
}

// Shared, so that no census takes it for the program's; not with children.
bool Writer::map_staging() {
    if (stores_directly_ || staging_ != nullptr) return true;
    void* room = sys::mmap(sys::OwnPlace::staging, trace::kMaxRecordBytes, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE);
    if (sys::failed(room)) return false;
    sys::unlock(room, trace::kMaxRecordBytes);
    sys::madvise(room, trace::kMaxRecordBytes, MADV_DONTFORK);
    staging_ = static_cast<unsigned char*>(room);
    return true;
}

void Writer::count_loss(uint64_t trace::LossRecord::*counter, uint64_t count) {
    loss_.*counter += count;
    if (!is_open_ || !map_start()) return;
    trace::LossRecord& there = reinterpret_cast<Start*>(header_)->loss;
    if (stores_directly_) {
        there.*counter = loss_.*counter;
    } else {
        // Where it fails, the next one has both.
        sys::write_guarded(&loss_, &there, sizeof(there));
    }
}

void Writer::count_refused(trace::RecordType type, uint64_t bytes) {
    // What an event stands for its writer knows, and counts.
    if (type == trace::RecordType::event) return;
    count_loss(&trace::LossRecord::unwritten_bytes, bytes);
}

// Room for `bytes`, all told, of records of that type; nullptr where there is none.
void* Writer::find_room(trace::RecordType type, size_t bytes) {
    if (!is_open()) return nullptr;
    if (is_cut_ && type != trace::RecordType::end) return nullptr;
    if (has_reached_limit_ && !is_closing_ && is_detail(type)) return nullptr;
    const Share share = is_closing_ ? Share::closing : Share::ordinary;
    uint64_t needed_end = committed_ + bytes;
    if (type != trace::RecordType::end) needed_end += room_for_ends();
    if (is_near_limit_ && !is_closing_ && is_detail(type)) needed_end += kRoomAtLimit;
    // Where the kernel copies, each record asks for room.
    const bool is_mapped =
        needed_end <= window_end_ && (stores_directly_ || (may_ask() && map_staging()));
    bool has_room = is_mapped || make_room(needed_end, share);
    if (!has_room && has_reached_limit_ && !is_detail(type)) {
        has_room = map_window(needed_end, Share::closing);
        release_file();
        is_cut_ = is_cut_ || !has_room;
    }
    if (has_room) return stores_directly_ ? window_ + (committed_ - window_start_) : staging_;
    // Who goes on counting says what it counts.
    if (!has_reached_limit_) count_refused(type, bytes);
    return nullptr;
}

void* Writer::begin_bytes(trace::RecordType type, size_t bytes) {
    const size_t rounded = round_up(bytes);
    if (rounded > trace::kMaxRecordBytes) return nullptr;
    auto* room = static_cast<unsigned char*>(find_room(type, rounded));
    if (room == nullptr) return nullptr;
    begin_at(room, type, rounded);
    begun_bytes_ = static_cast<uint32_t>(rounded);
    return room;
}

void* Writer::begin_two_bytes(trace::RecordType first_type, size_t first_bytes,
                              trace::RecordType second_type, size_t second_bytes, void** second) {
    *second = nullptr;
    const size_t first_rounded = round_up(first_bytes);
    const size_t rounded = first_rounded + round_up(second_bytes);
    // Where the kernel copies, both stand where one of the largest has room.
    if (rounded > trace::kMaxRecordBytes) return nullptr;
    auto* room = static_cast<unsigned char*>(find_room(second_type, rounded));
    if (room == nullptr) return nullptr;
    begin_at(room, first_type, first_rounded);
    begin_at(room + first_rounded, second_type, rounded - first_rounded);
    begun_bytes_ = static_cast<uint32_t>(rounded);
    *second = room + first_rounded;
    return room;
}

bool Writer::commit() {
    const uint64_t bytes = begun_bytes_;
    begun_bytes_ = 0;
    if (!stores_directly_) return store(staging_, bytes);
    committed_ += bytes;
    // The record must be complete in memory before the count that makes it visible.
    std::atomic_ref<uint64_t>(header_->committed_bytes)
        .store(committed_, std::memory_order_release);
    return true;
}

// Puts a record that lies elsewhere behind the last one.
bool Writer::store(const void* record, uint64_t bytes) {
    const uint64_t end = committed_ + bytes;
    const uint64_t asked_ns = sys::monotonic_ns();
    if (store_guarded(record, bytes, end)) {
        committed_ = end;
        return true;
    }
    wait_after(asked_ns);
    count_refused(static_cast<const trace::RecordHeader*>(record)->type, bytes);
    return false;
}

bool Writer::store_guarded(const void* record, uint64_t bytes, uint64_t end) {
    const struct iovec from[] = {{const_cast<void*>(record), bytes}, {&end, sizeof(end)}};
    // In this order: whoever is killed in between leaves the record uncommitted.
    const struct iovec to[] = {{window_ + (committed_ - window_start_), bytes},
                               {&header_->committed_bytes, sizeof(end)}};
    const long stored = sys::write_own_memory(from, to, 2);
    if (stored == static_cast<long>(bytes + sizeof(end))) return true;
    // Not for a full disk, but because a filter refuses the call.
    if (sys::failed(stored) && stored != -EFAULT) return write_through_file(record, bytes, end);
    return false;
}

bool Writer::write_through_file(const void* record, uint64_t bytes, uint64_t end) {
    constexpr uint64_t kCountAt = offsetof(trace::SegmentHeader, committed_bytes);
    const struct iovec part = {const_cast<void*>(record), bytes};
    const struct iovec count = {&end, sizeof(end)};
    const bool is_written = has_file() && write_at(committed_, &part, 1, bytes) == 0 &&
                            write_at(kCountAt, &count, 1, sizeof(end)) == 0;
    release_file();
    return is_written;
}

void Writer::trim() {
    // Most processes only execute another program or write little: not worth a system call.
    constexpr uint64_t kWorthIt = 64 * 1024;
    const uint64_t end = (committed_ + room_for_ends() + kStartBytes - 1) & ~(kStartBytes - 1);
    if (reserved_ < end + kWorthIt || !has_file()) return;
    const long result = sys::syscall2(SYS_ftruncate, file_.number(), static_cast<long>(end));
    release_file();
    if (sys::failed(result)) return;
    budget.give_back(reserved_ - end);
    // What is mapped behind the end would be a SIGBUS.
    reserved_ = end;
    if (window_end_ > end) {
        sys::munmap(window_ + (end - window_start_), window_end_ - end);
        window_end_ = end;
    }
}

void Writer::append(const trace::RecordHeader& record) {
    if (!is_open()) return;
    const uint64_t end = committed_ + record.bytes;
    // Without memory for a mapping.
    if (header_ == nullptr && end <= kStartBytes) {
        if (write_through_file(&record, record.bytes, end)) committed_ = end;
        return;
    }
    // What needs no room beside it.
    if (!stores_directly_ && header_ != nullptr && end <= window_end_) {
        store(&record, record.bytes);
        return;
    }
    void* room = begin_bytes(record.type, record.bytes);
    if (room == nullptr) return;
    std::memcpy(room, &record, record.bytes);
    commit();
}

}  // namespace cowscope::session
