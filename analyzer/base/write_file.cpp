#include "base/write_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/file_descriptor.h"

namespace cowscope {

int write_at(int file, std::string_view content, uint64_t offset) {
    rlimit limit{};
    // Writing beyond it would raise SIGXFSZ.
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && offset + content.size() > limit.rlim_cur) {
        return EFBIG;
    }
    while (!content.empty()) {
        const ssize_t count =
            pwrite(file, content.data(), content.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno;
        content.remove_prefix(static_cast<size_t>(count));
        offset += static_cast<uint64_t>(count);
    }
    return 0;
}

int replace_file(const std::string& path, std::string_view content, mode_t mode) {
    const std::string unfinished = path + ".tmp";
    // What stands there is left from a recorder that was killed, or a link or FIFO that someone who
    // may write to the folder has put there: it is neither followed nor written to.
    unlink(unfinished.c_str());
    FileDescriptor file(
        open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!file.is_open()) return errno;
    int error = write_at(file.get(), content, 0);
    // Some file systems say only now that they are full.
    if (error == 0 && close(file.release()) != 0) error = errno;
    if (error == 0 && std::rename(unfinished.c_str(), path.c_str()) != 0) error = errno;
    if (error != 0) unlink(unfinished.c_str());
    return error;
}

}  // namespace cowscope
