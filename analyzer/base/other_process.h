// Another process, through its folder in /proc. The folder is held open, so that everything here is
// about one process even if its id is given to another one meanwhile.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/file_descriptor.h"

namespace cowscope {

// From /proc/PID/stat, proc(5).
struct ProcessStatus {
    char state = '?';
    pid_t parent = 0;
    uint32_t flags = 0;
    int64_t threads = 0;
    // sysconf(_SC_CLK_TCK) of them are a second
    uint64_t user_ticks = 0;
    uint64_t system_ticks = 0;
    uint64_t start_ticks = 0;     // since boot
    uint64_t resident_pages = 0;  // sysconf(_SC_PAGESIZE)
    int exit_code = 0;            // as wait(2) gives it; 0 to whom the kernel does not tell

    // It has ended and nobody has waited for it. (A process whose first thread alone has ended
    // looks like it, but for the number of its threads.)
    bool is_zombie() const { return (state == 'Z' || state == 'X') && threads <= 1; }
    // It did not call exec since it was forked. PF_FORKNOEXEC, include/linux/sched.h.
    bool is_still_forked_image() const { return (flags & 0x40) != 0; }
};

// Nothing for text that is none of /proc/PID/stat.
std::optional<ProcessStatus> parse_process_status(const std::string& text);

class OtherProcess {
  public:
    // Nothing where there is no such process, or none that may be looked at.
    static std::optional<OtherProcess> open(pid_t pid);

    // Nothing when the process is gone.
    std::optional<ProcessStatus> status() const;
    // Whether the kernel tells us its secrets (ptrace(2), PTRACE_MODE_READ), exit_code among them.
    bool may_inspect() const;
    // A file of its folder, for reading. Not open where that fails. Once its first thread has ended
    // the process's own files tell of no memory any more: those of another thread are opened then.
    FileDescriptor open_file(const char* name) const;
    // The file of a mapping, for reading. Not open where it is no regular file, or where something
    // else stands at its path by now, a link among it.
    // [start, end): where it is mapped. `path`: what the kernel names it.
    FileDescriptor open_mapped(uint64_t start, uint64_t end, const std::string& path) const;

  private:
    OtherProcess(pid_t pid, FileDescriptor folder) : pid_(pid), folder_(std::move(folder)) {}

    FileDescriptor open_own_file(const char* name) const;
    // Of a thread that still has memory, where the first has not: "task/TID/", else "".
    const std::string& thread_folder() const;

    pid_t pid_;
    FileDescriptor folder_;
    mutable std::optional<std::string> thread_folder_;
};

}  // namespace cowscope
