// What a process writes about itself: its segment, who it is, its memory by the kernel's own
// account, and notes about what it could not do.

#include <errno.h>

#include <cstring>

#include "process/process.h"

#include "support/poison.h"

namespace cowscope::process {
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

}  // namespace

bool open_segment(trace::Role role, pid_t parent, uint64_t start_ns) {
    FixedText<PATH_MAX> path;
    path.add(process.options.folder.c_str()).add("/process-");
    path.add_decimal(static_cast<uint64_t>(process.pid)).add("-").add_decimal(start_ns);
    path.add(trace::kSegmentSuffix);
    if (path.truncated() || process.writer.create(path.c_str(), process.pid, start_ns) != 0) {
        return false;
    }
    char command[4096];
    const size_t command_bytes = read_file("/proc/self/cmdline", command, sizeof(command));
    char executable[PATH_MAX];
    const long linked = sys::syscall4(SYS_readlinkat, AT_FDCWD, sys::word("/proc/self/exe"),
                                      sys::word(executable), sizeof(executable));
    const size_t executable_bytes = sys::failed(linked) ? 0 : static_cast<size_t>(linked);
    auto* record = process.writer.begin<trace::ProcessRecord>(trace::RecordType::process,
                                                              command_bytes + executable_bytes);
    if (record == nullptr) return false;
    record->start_ns = start_ns;
    record->pid = static_cast<uint32_t>(process.pid);
    record->parent_pid = static_cast<uint32_t>(parent);
    record->role = role;
    record->padding[0] = record->padding[1] = record->padding[2] = 0;
    record->sample = process.options.sample;
    record->command_bytes = static_cast<uint32_t>(command_bytes);
    record->executable_bytes = static_cast<uint32_t>(executable_bytes);
    auto* text = reinterpret_cast<char*>(record + 1);
    std::memcpy(text, command, command_bytes);
    std::memcpy(text + command_bytes, executable, executable_bytes);
    process.writer.commit();
    return true;
}

void write_note(trace::NoteCode code, int value, uint64_t address) {
    auto* record = process.writer.begin<trace::NoteRecord>(trace::RecordType::note);
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->code = code;
    record->value = value;
    record->address = address;
    process.writer.commit();
}

void write_memory(trace::MemoryMoment moment) {
    char text[2048];
    const size_t bytes = read_file("/proc/self/smaps_rollup", text, sizeof(text) - 1);
    if (bytes == 0) return;
    text[bytes] = '\0';
    auto* record = process.writer.begin<trace::MemoryRecord>(trace::RecordType::memory);
    if (record == nullptr) return;
    record->time_ns = sys::monotonic_ns();
    record->moment = moment;
    std::memset(record->padding, 0, sizeof(record->padding));
    record->rss_kb = number_behind(text, "\nRss");
    record->pss_kb = number_behind(text, "\nPss");
    record->private_dirty_kb = number_behind(text, "\nPrivate_Dirty");
    record->swap_kb = number_behind(text, "\nSwap");
    process.writer.commit();
}

}  // namespace cowscope::process
