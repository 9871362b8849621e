#include "record/trace_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "base/error.h"
#include "preload/format/trace_format.h"

namespace cowscope::record {

namespace fs = std::filesystem;

namespace {

// Leaves room for the rest of the name within NAME_MAX (255).
constexpr size_t kMaxProgramNameBytes = 200;

// The children of a server that is root no more are recorded as well. Nobody else comes to it: the
// trace's own folder is closed to all but root, and the shim opens this one in time.
void add_others(TraceFolder* folder) {
    constexpr mode_t kCreateOnly = S_ISVTX | S_IRWXU | S_IWGRP | S_IXGRP | S_IWOTH | S_IXOTH;
    const int handle = folder->handle.get();
    if (mkdirat(handle, trace::kOthersFolder, S_IRWXU) != 0) return;
    // Past the umask.
    if (fchmodat(handle, trace::kOthersFolder, kCreateOnly, 0) == 0) {
        folder->has_others = true;
    } else {
        unlinkat(handle, trace::kOthersFolder, AT_REMOVEDIR);
    }
}

[[noreturn]] void refuse(const std::string& name, int error) {
    throw Error(fmt::format("cannot write to output folder '{}': {}", name, std::strerror(error)));
}

}  // namespace

std::string default_folder_name(const std::string& program, pid_t pid) {
    const size_t end = program.find_last_not_of('/');
    const std::string trimmed =
        end == std::string::npos ? std::string() : program.substr(0, end + 1);
    std::string last = trimmed.substr(trimmed.rfind('/') + 1, kMaxProgramNameBytes);
    if (last.empty()) last = "program";
    return fmt::format("cowscope.{}.{}.cow", last, pid);
}

TraceFolder open_trace_folder(const std::string& name) {
    TraceFolder folder;
    folder.shown = name;
    if (mkdir(name.c_str(), S_IRWXU) == 0) {
        folder.created = true;
    } else if (errno != EEXIST) {
        throw Error(
            fmt::format("cannot create output folder '{}': {}", name, std::strerror(errno)));
    }

    std::error_code error;
    if (!folder.created) {
        if (!fs::is_directory(name, error)) {
            throw Error(fmt::format("output folder '{}' exists and is not a folder", name));
        }
        const bool empty = fs::is_empty(name, error);
        if (error) refuse(name, error.value());
        if (!empty) throw Error(fmt::format("output folder '{}' exists and is not empty", name));
    }
    if (faccessat(AT_FDCWD, name.c_str(), W_OK | X_OK, AT_EACCESS) != 0) refuse(name, errno);
    folder.path = fs::canonical(name, error).string();
    if (error) refuse(name, error.value());
    folder.handle =
        FileDescriptor(open(folder.path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!folder.handle.is_open() || fstat(folder.handle.get(), &status) != 0) refuse(name, errno);
    if (!folder.created && geteuid() == 0 && status.st_uid != 0) {
        throw Error(fmt::format(
            "output folder '{}' belongs to user {}, not to root; name one that does not exist yet",
            name, status.st_uid));
    }
    if (geteuid() == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) == 0) add_others(&folder);
    return folder;
}

void remove_unused(TraceFolder* folder) {
    if (!folder->has_others) return;
    const int result = unlinkat(folder->handle.get(), trace::kOthersFolder, AT_REMOVEDIR);
    folder->has_others = result != 0;
}

void require_writable_current_directory() {
    if (faccessat(AT_FDCWD, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        throw Error(
            fmt::format("cannot create the output folder in the current directory: {}; -o names "
                        "another place",
                        std::strerror(errno)));
    }
}

bool has_segments(const std::string& folder) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().extension() == trace::kSegmentSuffix) return true;
    }
    return false;
}

namespace {

// Whoever may write to the directory can put a folder there, or a link to one, that is newer than
// all others.
bool is_own_folder(const std::string& path) {
    struct stat here {};
    struct stat there {};
    return lstat(path.c_str(), &here) == 0 && stat(path.c_str(), &there) == 0 &&
           S_ISDIR(there.st_mode) && here.st_uid == geteuid() && there.st_uid == geteuid();
}

}  // namespace

std::string newest_trace(const std::string& directory) {
    std::string newest;
    fs::file_time_type newest_time;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
        std::error_code entry_error;
        if (entry->path().extension() != ".cow" || !is_own_folder(entry->path().string())) continue;
        const fs::file_time_type time = entry->last_write_time(entry_error);
        if (entry_error || !has_segments(entry->path().string())) continue;
        if (newest.empty() || time > newest_time) {
            newest = entry->path().filename().string();
            newest_time = time;
        }
    }
    return newest;
}

}  // namespace cowscope::record
