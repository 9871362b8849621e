#include "trace/trace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace cowscope::trace {

namespace {

// Recorders read in threads of their own.
thread_local std::string last_file;

}  // namespace

const std::string& last_trace_file() {
    return last_file;
}

int open_trace_file(const std::string& path) {
    last_file = path;
    const auto require_regular = [&](const struct stat& status) {
        if (S_ISLNK(status.st_mode)) throw Error(path + ": a link; a trace has none");
        if (!S_ISREG(status.st_mode)) throw Error(path + ": not a regular file");
    };
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        throw Error(path + ": cannot read: " + std::strerror(errno));
    }
    require_regular(status);
    // It may be another file by now: a FIFO must not make us wait.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    if (fd < 0) throw Error(path + ": cannot read: " + std::strerror(errno));
    try {
        if (::fstat(fd, &status) != 0) status.st_mode = 0;
        require_regular(status);
    } catch (...) {
        ::close(fd);
        throw;
    }
    return fd;
}

}  // namespace cowscope::trace
