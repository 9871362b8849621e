// What a process writes about itself: its segment, who it is, its memory by the kernel's own
// account, and notes about what it could not do.

#include "session/session.h"

#include <errno.h>
#include <limits.h>

#include <cstring>

#include "arch/cpu.h"
#include "session/budget.h"

#include "support/poison.h"

namespace cowscope::session {

// Beside epoch::sharing, see there.
[[gnu::section("cowscope_forked")]] constinit Session self;
constinit Options options;
constinit Identity identity = {};
constinit char** environment = nullptr;

namespace {

// The first `capacity` bytes of a file, or 0.
size_t read_file(const char* path, char* to, size_t capacity) {
    const int fd = sys::open(path, O_RDONLY);
    if (fd < 0) return 0;
    size_t filled = 0;
    while (filled < capacity) {
        const long got = sys::read(fd, to + filled, capacity - filled);
        if (got <= 0) break;
        filled += static_cast<size_t>(got);
    }
    sys::close(fd);
    return filled;
}

// The number behind "LABEL:" in /proc text.
uint64_t number_behind(const char* text, const char* label) {
    const char* at = std::strstr(text, label);
    if (at == nullptr) return 0;
    at += std::strlen(label);
    while (*at == ' ' || *at == ':') ++at;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; ++at) value = value * 10 + static_cast<uint64_t>(*at - '0');
    return value;
}

bool open_budget(int folder) {
    const uint64_t limit = options.max_trace;
    if (limit == 0 || budget.is_set()) return true;
    const uint64_t recorder = options.recorder == 0 ? 0 : limit / trace::kRecorderPart;
    return budget.open(folder, limit, limit - recorder) == 0;
}

// Behind the command, up to `bytes`, stands the executable.
void set_identity_bytes(size_t command_bytes, size_t executable_bytes) {
    const size_t bytes = sizeof(trace::ProcessRecord) + command_bytes + executable_bytes;
    identity.record.header = {static_cast<uint32_t>((bytes + 7) & ~size_t{7}),
                              trace::RecordType::process, 0};
    identity.record.command_bytes = static_cast<uint32_t>(command_bytes);
    identity.record.executable_bytes = static_cast<uint32_t>(executable_bytes);
}

}  // namespace

void set_command(int argument_count, char** arguments) {
    constexpr size_t kRoom = sizeof(identity.text) - PATH_MAX;
    size_t bytes = 0;
    for (int i = 0; i < argument_count && arguments[i] != nullptr; ++i) {
        const size_t length = std::strlen(arguments[i]) + 1;
        const size_t taken = length < kRoom - bytes ? length : kRoom - bytes;
        std::memcpy(identity.text + bytes, arguments[i], taken);
        bytes += taken;
    }
    identity.record.sample = options.sample;
    set_identity_bytes(bytes, 0);
}

void set_executable() {
    const size_t command_bytes = identity.record.command_bytes;
    const long linked = sys::syscall4(SYS_readlinkat, AT_FDCWD, sys::word("/proc/thread-self/exe"),
                                      sys::word(identity.text + command_bytes), PATH_MAX);
    if (sys::failed(linked)) return;
    set_identity_bytes(command_bytes, static_cast<size_t>(linked));
    const size_t extra = identity.record.header.bytes - sizeof(trace::ProcessRecord);
    auto* record = self.writer.begin<trace::ProcessRecord>(trace::RecordType::process, extra);
    if (record == nullptr) return;
    std::memcpy(record, &identity, identity.record.header.bytes);
    self.writer.commit();
}

namespace {

using SegmentName = FixedText<NAME_MAX>;

SegmentName segment_name() {
    SegmentName name;
    name.add("process-").add_decimal(identity.record.pid).add("-");
    name.add_decimal(identity.record.start_ns).add(trace::kSegmentSuffix);
    return name;
}

int reopen_segment() {
    const int folder = self.folder.open();
    if (folder < 0) return folder;
    const int fd = sys::open_at(folder, segment_name().c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK);
    sys::close(folder);
    return fd;
}

}  // namespace

namespace {

int create_segment_in(int folder, uint64_t start_ns) {
    if (folder < 0) return folder;
    int result = -EBADF;
    if (open_budget(folder)) {
        result = self.writer.create(segment_name().c_str(), self.pid, start_ns,
                                    &identity.record.header, folder);
    }
    sys::close(folder);
    return result;
}

}  // namespace

int open_segment(trace::Role role, pid_t parent, uint64_t start_ns) {
    if (budget.is_reached()) return -EDQUOT;
    // A forked child still holds its parent's.
    identity.record.parent_created_ns =
        role == trace::Role::fork ? identity.record.start_ns : uint64_t{0};
    identity.record.start_ns = start_ns;
    identity.record.fork_ns = role == trace::Role::fork ? self.fork_began_ns : 0;
    identity.record.pid = static_cast<uint32_t>(self.pid);
    identity.record.parent_pid = static_cast<uint32_t>(parent);
    identity.record.role = role;
    int result = create_segment_in(self.folder.open(), start_ns);
    if (result == -EACCES || result == -EPERM) {
        const int others = self.folder.open_for_others();
        if (others >= 0) result = create_segment_in(others, start_ns);
    }
    if (result != 0) return result;
    // Most programs never fork, and what they have to say fits into what is mapped already. A
    // forked child has other descriptors of the shim's as well, and may lose its rights.
    if (role == trace::Role::image) {
        self.writer.set_reopen(reopen_segment);
    } else {
        self.writer.keep_file();
    }
    return 0;
}

void keep_segment_file() {
    // A forked child has it all the time.
    if (self.writer.is_open()) self.writer.keep_file();
}

void write_note(trace::NoteCode code, int value, uint64_t address) {
    auto* record = self.writer.begin<trace::NoteRecord>(trace::RecordType::note);
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->code = code;
    record->value = value;
    record->address = address;
    self.writer.commit();
}

uint64_t count_own_pages() {
    // Size, resident, shared: pages. proc(5)
    char text[128];
    const size_t bytes = read_file("/proc/thread-self/statm", text, sizeof(text) - 1);
    text[bytes] = '\0';
    const char* at = text;
    uint64_t numbers[3] = {};
    for (uint64_t& number : numbers) {
        for (; *at >= '0' && *at <= '9'; ++at)
            number = number * 10 + static_cast<uint64_t>(*at - '0');
        if (*at == ' ') ++at;
    }
    return numbers[1] > numbers[2] ? numbers[1] - numbers[2] : 0;
}

void write_known_memory(trace::MemoryMoment moment, uint16_t flags, uint64_t private_pages) {
    auto* record = self.writer.begin<trace::MemoryRecord>(trace::RecordType::memory);
    if (record == nullptr) return;
    const trace::RecordHeader header = record->header;
    *record = {};
    record->header = header;
    record->header.flags = flags;
    record->time_ns = sys::monotonic_ns();
    record->moment = moment;
    record->private_dirty_kb = private_pages * (cpu::kPageBytes / 1024);
    self.writer.commit();
}

void write_memory(trace::MemoryMoment moment) {
    char text[2048];
    const size_t bytes = read_file("/proc/thread-self/smaps_rollup", text, sizeof(text) - 1);
    if (bytes == 0) return;
    text[bytes] = '\0';
    auto* record = self.writer.begin<trace::MemoryRecord>(trace::RecordType::memory);
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->moment = moment;
    std::memset(record->padding, 0, sizeof(record->padding));
    record->shared_memory_kb = static_cast<uint32_t>(number_behind(text, "\nPss_Shmem"));
    record->rss_kb = number_behind(text, "\nRss");
    record->pss_kb = number_behind(text, "\nPss");
    record->private_dirty_kb = number_behind(text, "\nPrivate_Dirty");
    record->swap_kb = number_behind(text, "\nSwap");
    self.writer.commit();
}

}  // namespace cowscope::session
