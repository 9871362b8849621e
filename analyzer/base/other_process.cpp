#include "base/other_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <string_view>

#include <fmt/format.h>

#include "base/parse_text.h"
#include "base/read_file.h"

namespace cowscope {

std::optional<ProcessStatus> parse_process_status(const std::string& text) {
    // "PID (NAME) STATE ...": the name may hold anything, a parenthesis too.
    const size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    // Numbered as in proc(5), where the state is field 3.
    constexpr size_t kFields = 52;
    std::array<std::string_view, kFields + 1> fields;
    std::string_view rest = std::string_view(text).substr(name_end + 1);
    for (size_t number = 3; number <= kFields; ++number) {
        rest.remove_prefix(std::min(rest.find_first_not_of(" \n"), rest.size()));
        fields[number] = rest.substr(0, rest.find_first_of(" \n"));
        rest.remove_prefix(fields[number].size());
    }
    ProcessStatus status;
    if (fields[3].size() != 1 || !parse_number(fields[4], &status.parent) ||
        !parse_number(fields[9], &status.flags) || !parse_number(fields[14], &status.user_ticks) ||
        !parse_number(fields[15], &status.system_ticks) ||
        !parse_number(fields[20], &status.threads) ||
        !parse_number(fields[22], &status.start_ticks) ||
        !parse_number(fields[24], &status.resident_pages) ||
        !parse_number(fields[52], &status.exit_code)) {
        return std::nullopt;
    }
    status.state = fields[3].front();
    return status;
}

std::optional<OtherProcess> OtherProcess::open(pid_t pid) {
    const std::string path = fmt::format("/proc/{}", pid);
    FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.is_open()) return std::nullopt;
    return OtherProcess(pid, std::move(folder));
}

FileDescriptor OtherProcess::open_own_file(const char* name) const {
    return FileDescriptor(openat(folder_.get(), name, O_RDONLY | O_CLOEXEC));
}

FileDescriptor OtherProcess::open_file(const char* name) const {
    return open_own_file((thread_folder() + name).c_str());
}

const std::string& OtherProcess::thread_folder() const {
    if (thread_folder_) return *thread_folder_;
    thread_folder_.emplace();
    const auto now = status();
    const bool has_ended = now && (now->state == 'Z' || now->state == 'X') && !now->is_zombie();
    if (!has_ended) return *thread_folder_;
    const int tasks = openat(folder_.get(), "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const list = tasks < 0 ? nullptr : fdopendir(tasks);
    if (list == nullptr) {
        if (tasks >= 0) ::close(tasks);
        return *thread_folder_;
    }
    while (const dirent* const entry = readdir(list)) {
        const std::string folder = fmt::format("task/{}/", entry->d_name);
        // One line at least, of a thread that has memory.
        const FileDescriptor maps = open_own_file((folder + "maps").c_str());
        char first = 0;
        if (!maps.is_open() || read(maps.get(), &first, 1) != 1) continue;
        *thread_folder_ = folder;
        break;
    }
    closedir(list);
    return *thread_folder_;
}

namespace {

// linux/openat2.h, which not every distribution's headers have.
struct OpenHow {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
};
constexpr long kOpenat2 = 437;
constexpr uint64_t kNoSymlinks = 0x04;
constexpr uint64_t kInRoot = 0x10;

// In the process's own root. What the kernel names as a mapping's file has no links in it.
FileDescriptor find_at_path(int folder, const std::string& path) {
    FileDescriptor root(openat(folder, "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.is_open()) return {};
    const OpenHow how = {O_PATH | O_CLOEXEC, 0, kInRoot | kNoSymlinks};
    const std::string below = path.substr(path.find_first_not_of('/'));
    FileDescriptor found(
        static_cast<int>(syscall(kOpenat2, root.get(), below.c_str(), &how, sizeof(how))));
    // Before Linux 5.6, and where a filter refuses the call.
    if (!found.is_open() && (errno == ENOSYS || errno == EPERM)) {
        found.reset(openat(root.get(), below.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    }
    return found;
}

}  // namespace

FileDescriptor OtherProcess::open_mapped(uint64_t start, uint64_t end,
                                         const std::string& path) const {
    if (!path.starts_with('/') || path.find_first_not_of('/') == std::string::npos) return {};
    // The very file, whatever stands at its path. For CAP_SYS_ADMIN alone, or
    // CAP_CHECKPOINT_RESTORE.
    const std::string range = fmt::format("map_files/{:x}-{:x}", start, end);
    FileDescriptor found(openat(folder_.get(), range.c_str(), O_PATH | O_CLOEXEC));
    const std::string& thread = thread_folder();
    if (!found.is_open() && thread.empty()) found = find_at_path(folder_.get(), path);
    if (!found.is_open() && !thread.empty()) {
        const FileDescriptor of_thread(
            openat(folder_.get(), thread.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (of_thread.is_open()) found = find_at_path(of_thread.get(), path);
    }
    struct stat status {};
    if (!found.is_open() || fstat(found.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
    const std::string same = fmt::format("/proc/self/fd/{}", found.get());
    return FileDescriptor(::open(same.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

std::optional<ProcessStatus> OtherProcess::status() const {
    constexpr size_t kLongest = 4096;  // 52 numbers and a name of 64 bytes at most
    const FileDescriptor file = open_own_file("stat");
    if (!file.is_open()) return std::nullopt;
    const auto text = read_all(file.get(), kLongest);
    return text ? parse_process_status(*text) : std::nullopt;
}

bool OtherProcess::may_inspect() const {
    char path[PATH_MAX];
    // A zombie has no program any more (ENOENT); that is told only to those who may know.
    return readlinkat(folder_.get(), "exe", path, sizeof(path)) >= 0 || errno == ENOENT;
}

}  // namespace cowscope
